import { fileURLToPath } from 'node:url'

type Env = Readonly<Record<string, string | undefined>>

/** One of our processes, as a child that is started again when it ends by itself. */
export interface Process {
  readonly name: 'gateway' | 'worker'
  /** Says why it is given up: it ended before it was kept, or too often. Never settles otherwise. */
  readonly givenUp: Promise<string>
  /** From now on an end is followed by another start. */
  keep(): void
  stop(): Promise<void>
}

/** Hears about every end that is followed by another start. */
export type OnRestart = (line: string) => void

const STOP_MS_MAX = 15_000
const STDERR = 2
const RESTART_PAUSE_MS = 500
/** So many ends within the window, and people have to look. */
const ENDS_MAX = 10
const WINDOW_MS = 5 * 60_000

/**
 * Runs the gateway or the worker. Both are crash-only: their cure for what nobody expected is a fresh start.
 *
 * Before `keep`, an end is final: a process that cannot start at all has a message for the operator.
 * Preloads are modules that run before it.
 */
export function runProcess(
  name: Process['name'],
  env: Env,
  onRestart: OnRestart,
  preloads: readonly string[] = [],
): Process {
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<string>()
  const stopped = Promise.withResolvers<void>()
  let isKept = false
  let isStopping = false
  let child = spawn(name, env, preloads)
  const supervision = supervise()

  async function supervise(): Promise<void> {
    let ends: number[] = []
    for (;;) {
      const end = `the ${name} ended with ${await child.exited}`
      if (isStopping) return
      const now = performance.now()
      ends = [...ends.filter((at) => now - at < WINDOW_MS), now]
      if (!isKept) return giveUp(end)
      if (ends.length >= ENDS_MAX) return giveUp(`${end}, ${ENDS_MAX} times in a short while`)
      onRestart(`${end}; it starts again`)
      await Promise.race([Bun.sleep(RESTART_PAUSE_MS), stopped.promise])
      if (isStopping) return
      child = spawn(name, env, preloads)
    }
  }

  return {
    name,
    givenUp,
    keep() {
      isKept = true
    },
    async stop() {
      isStopping = true
      stopped.resolve()
      await end(child)
      await supervision
    },
  }
}

const WITH_PARENT = fileURLToPath(new URL('with-parent.ts', import.meta.url))

/** Its log goes to our stderr, so that stdout is ours alone; its input ends with us. */
function spawn(name: Process['name'], env: Env, preloads: readonly string[]) {
  const main = fileURLToPath(new URL(`../${name}/main.ts`, import.meta.url))
  const preloaded = [WITH_PARENT, ...preloads].flatMap((path) => ['--preload', path])
  return Bun.spawn([process.execPath, ...preloaded, main], {
    env: { ...env },
    stdio: ['pipe', STDERR, STDERR],
    // A terminal sends Ctrl-C to its whole group: the children would hear of it twice.
    detached: true,
  })
}

/** Lets a process finish its work; one that hangs is ended. */
async function end(child: ReturnType<typeof spawn>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await child.exited
  clearTimeout(timer)
}
