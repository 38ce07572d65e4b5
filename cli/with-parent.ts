// Preloaded into the processes that `up` starts: ends this one when `up` is gone, however it went.
//
// The other end of our input is held by `up` alone. It never writes; only its end, also by kill -9, closes it.

const STOP_MS_MAX = 15_000

async function endWithParent(): Promise<void> {
  for await (const _ of Bun.stdin.stream()) {
    // Nothing is said here.
  }
  process.kill(process.pid, 'SIGTERM')
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), STOP_MS_MAX)
}

void endWithParent()

export {}
