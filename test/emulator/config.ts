import { readFileSync } from 'node:fs'

/**
 * Reads the JSON configuration of an emulator process.
 *
 * The first argument is JSON or the path of a file with JSON; without one the variable is read.
 */
export function readConfigText(variable: string): string {
  const text = process.argv[2] ?? process.env[variable]
  if (text === undefined) throw new Error(`expected JSON as first argument or in ${variable}`)
  return text.trimStart().startsWith('{') ? text : readFileSync(text, 'utf8')
}

/** Reads JSON text. `undefined` means that it is none. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch {
    // The caller answers for bad JSON; the position of the error interests nobody.
    return undefined
  }
}
