import { CommanderError } from 'commander'
import { ChannelUnavailable } from '#channel/http'
import { ConfigError } from '#db/config'
import { SealBroken } from '#db/seal'

/** Who has to act: the operator, whoever runs the machine, a vendor, or we. */
export type FailureKind = 'usage' | 'environment' | 'vendor' | 'bug'

const EXIT_CODES = { bug: 1, usage: 2, environment: 3, vendor: 4 } as const satisfies Record<
  FailureKind,
  number
>

/** A command did not do what it was asked. The message says what failed and what to do, and holds no key. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly kind: FailureKind

  constructor(kind: FailureKind, message: string) {
    super(message)
    this.kind = kind
  }
}

export const exitCodeOf = (failure: Failure): number => EXIT_CODES[failure.kind]

/** Names the failure behind whatever was thrown. `undefined`: the help was shown, as asked. */
export function explain(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error
  if (error instanceof CommanderError) return explainCommander(error)
  if (error instanceof ConfigError) {
    return new Failure('environment', `${error.message}; set the variable and repeat`)
  }
  if (error instanceof SealBroken) {
    return new Failure(
      'environment',
      `${error.message}; set the PINGZHANG_SEAL_KEY that the account was added with`,
    )
  }
  if (error instanceof ChannelUnavailable) return new Failure('usage', error.message)
  return explainDatabase(error) ?? new Failure('bug', `unexpected: ${messageOf(error)}`)
}

function explainCommander(error: CommanderError): Failure | undefined {
  if (error.exitCode === 0) return undefined
  const asked = error.code === 'commander.help'
  const message = asked ? 'a command is missing' : error.message.replace(/^error: /, '')
  return new Failure('usage', `${message}; --help shows what there is`)
}

const AWAY = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'ENOENT', 'ETIMEDOUT', 'EPIPE'])
/** Connection, authorization, no such database, resources, shutdown. PostgreSQL manual, appendix A. */
const AWAY_CLASSES = /^(08|28|3D|53|57)/
const NO_TABLES = /^(42P01|3F000)$/
const CONNECT_MESSAGE = /timeout exceeded when trying to connect|connection terminated/i

function explainDatabase(error: unknown): Failure | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause ? String(cause.code) : ''
    if (NO_TABLES.test(code)) {
      return new Failure('environment', 'the database has no tables; run "migrate" first')
    }
    if (AWAY.has(code) || AWAY_CLASSES.test(code) || CONNECT_MESSAGE.test(cause.message)) {
      const detail = code === '' ? 'no answer' : code
      return new Failure(
        'environment',
        `the database cannot be used (${detail}); check DATABASE_URL and that PostgreSQL runs`,
      )
    }
  }
  return undefined
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'no error')

export const UNIQUE_VIOLATION = '23505'
export const FOREIGN_KEY_VIOLATION = '23503'

/** The error code of PostgreSQL, to tell a broken constraint from trouble; empty when it is none. */
export const sqlStateOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

/** One line for a terminal. */
export const lineOf = (failure: Failure): string =>
  `error: ${failure.message.replace(/\s*\n\s*/g, ' ').trim()}`
