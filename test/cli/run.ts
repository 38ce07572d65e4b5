import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

export interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs one command line as a process of its own, with these variables alone. */
export async function runCommand(
  env: Readonly<Record<string, string>>,
  words: readonly string[],
): Promise<Result> {
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    env: { NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, out, err }
}
