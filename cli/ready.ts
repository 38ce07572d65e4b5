import { loadNumber } from '#db/config'
import { Failure } from './failure.ts'

const PORT = 8080
const PAUSE_MS = 50
const ANSWER_MS_MAX = 1000
const READY_MS_MAX = 60_000

/** Waits until the gateway answers, and returns its address; `undefined` when `end` came first. */
export async function waitUntilReady(
  env: Readonly<Record<string, string | undefined>>,
  end: Promise<unknown>,
): Promise<string | undefined> {
  let ended = false
  void end.then(() => {
    ended = true
  })
  const url = addressOf(env)
  for (let waitedMs = 0; waitedMs < READY_MS_MAX; waitedMs += PAUSE_MS) {
    if (ended) return undefined
    if (await answers(url)) return url
    await Bun.sleep(PAUSE_MS)
  }
  throw new Failure('environment', `the gateway does not answer at ${url}; its log says why`)
}

/** The same defaults as `gateway/main.ts`. */
function addressOf(env: Readonly<Record<string, string | undefined>>): string {
  const host = env['PINGZHANG_HOST'] ?? '127.0.0.1'
  return `http://${host}:${loadNumber(env, 'PINGZHANG_PORT', PORT)}`
}

async function answers(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX)
    return (await fetch(`${url}/healthz`, { signal })).ok
  } catch {
    // Not listening yet, which is what we wait for.
    return false
  }
}
