import { fileURLToPath } from 'node:url'

/** One of our processes, as a child. */
export interface Process {
  readonly name: 'gateway' | 'worker'
  readonly exited: Promise<number>
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}

const STOP_MS_MAX = 15_000
const STDERR = 2

/** Starts the gateway or the worker. Its log goes to our stderr, so that stdout is ours alone. */
export function startProcess(
  name: Process['name'],
  env: Readonly<Record<string, string | undefined>>,
): Process {
  const main = fileURLToPath(new URL(`../${name}/main.ts`, import.meta.url))
  const child = Bun.spawn([process.execPath, main], {
    env: { ...env },
    stdio: ['ignore', STDERR, STDERR],
    // A terminal sends Ctrl-C to its whole group: the children would hear of it twice.
    detached: true,
  })
  return { name, exited: child.exited, kill: (signal) => child.kill(signal) }
}

/** Lets a process finish its work; one that hangs is ended. */
export async function endProcess(child: Process): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await child.exited
  clearTimeout(timer)
}
