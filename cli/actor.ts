import { userInfo } from 'node:os'
import type { Command } from 'commander'
import { parsePerson, parseReason } from '#domain/reason'
import { Failure } from './failure.ts'

/** Who decides; commands that are audited take it. */
export interface ActorOption {
  readonly as?: string
}

/** Adds `--as`. */
export const withActor = (command: Command): Command =>
  command.option('--as <name>', 'who decides, for the audit; the user of this machine unless given')

/** The person behind a decision. Throws when there is no name that an audit can use. */
export function readActor(options: ActorOption): string {
  const name = parsePerson(options.as ?? userName())
  if (name !== undefined) return name
  throw new Failure(
    'usage',
    'the audit needs a name of 1 to 64 characters; say who with --as <name>',
  )
}

/** Why. Throws when it is nothing, or more than a line. */
export function readReason(text: string): string {
  const reason = parseReason(text)
  if (reason !== undefined) return reason
  throw new Failure(
    'usage',
    'the reason is empty or too long; say it in one line of 500 characters',
  )
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A user without an entry in the machine's list: then the option must say it.
    return ''
  }
}
