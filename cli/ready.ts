import { connect } from 'node:net'
import { loadNumber } from '#db/config'
import { addressOf } from '#gateway/address'
import { Failure } from './failure.ts'

type Env = Readonly<Record<string, string | undefined>>

const PORT = 8080
const PAUSE_MS = 50
const ANSWER_MS_MAX = 1000
const READY_MS_MAX = 60_000

/** Waits until the gateway answers, and returns its address; `undefined` when `end` came first. */
export async function waitUntilReady(env: Env, end: Promise<unknown>): Promise<string | undefined> {
  let ended = false
  void end.then(() => {
    ended = true
  })
  const { hostname, port } = listenerOf(env)
  const url = addressOf(hostname, port)
  for (let waitedMs = 0; waitedMs < READY_MS_MAX; waitedMs += PAUSE_MS) {
    if (ended) return undefined
    if (await answers(url)) return url
    await Bun.sleep(PAUSE_MS)
  }
  throw new Failure('environment', `the gateway does not answer at ${url}; its log says why`)
}

/**
 * Throws when somebody listens where the gateway would. Asked before it starts: afterwards the other one's answer
 * would be taken for our gateway's.
 */
export async function checkAddressIsFree(env: Env): Promise<void> {
  const { hostname, port } = listenerOf(env)
  if (!(await listens(hostname, port))) return
  const url = addressOf(hostname, port)
  throw new Failure(
    'environment',
    `something answers at ${url} already; stop it, or set PINGZHANG_PORT`,
  )
}

/** The same defaults as `gateway/main.ts`. */
const listenerOf = (env: Env) => ({
  hostname: env['PINGZHANG_HOST'] ?? '127.0.0.1',
  port: loadNumber(env, 'PINGZHANG_PORT', PORT),
})

function listens(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host, port, timeout: ANSWER_MS_MAX })
  socket.once('connect', () => resolve(true))
  socket.once('timeout', () => resolve(false))
  socket.once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
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
