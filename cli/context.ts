import type { Command } from 'commander'
import type { Clock } from '#domain/time'

/** What commands take from the process that runs them. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  print(line: string): void
}

export interface JsonOption {
  readonly json?: boolean
}

/** Adds a command with the option that every command has. */
export const addCommand = (parent: Command, usage: string, description: string): Command =>
  parent.command(usage).description(description).option('--json', 'print one line of JSON')

/** What a command did: for programs, and for people. */
export interface Report {
  readonly json: unknown
  readonly text: string
}

export const report = (context: Context, options: JsonOption, { json, text }: Report): void =>
  context.print(options.json === true ? JSON.stringify(json) : text)
