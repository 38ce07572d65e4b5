import { z } from 'zod'
import { readSet } from './callback-set.ts'
import { answer, readArgument } from './child.ts'
import { connect } from './connection.ts'
import type { Connection } from './connection.ts'
import type { Callback } from './vendor/vendor.ts'

// The load generator. It ends by itself: with the set, or with its seconds.

const CONNECTIONS = 256
const SECOND_MS = 1000
const OK = 200

const { url, account, path, secondsMax, rate, warmUp } = readArgument(
  z.object({
    url: z.string(),
    account: z.string(),
    path: z.string(),
    secondsMax: z.number(),
    /** Callbacks a second, whatever the gateway does. Without it every connection sends on and on. */
    rate: z.number().optional(),
    /** The first so many callbacks are not measured. */
    warmUp: z.number(),
  }),
)

const { hostname, port, host } = new URL(url)
const requests = (await readSet(path)).map(requestOf)
const connections = await Promise.all(
  Array.from({ length: CONNECTIONS }, () => connect(hostname, Number(port))),
)
let failed = 0
answer(rate === undefined ? await sendOnAndOn() : await sendByTheClock(rate))
process.exit(0)

function requestOf({ headers, body }: Callback): Uint8Array {
  const bytes = Buffer.from(body)
  const lines = Object.entries({ Host: host, ...headers, 'Content-Length': String(bytes.length) })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.concat([Buffer.from(`POST /callback/${account} HTTP/1.1\r\n${head}\r\n`), bytes])
}

async function sendOne(connection: Connection, index: number): Promise<void> {
  const request = requests[index]
  if (request === undefined) throw new Error(`the set has no callback ${index}`)
  if ((await connection.send(request)) !== OK) failed += 1
}

/** Closed loop: the rate is what the gateway can bear. */
async function sendOnAndOn() {
  let next = 0
  let answered = 0
  const endsAt = performance.now() + secondsMax * SECOND_MS
  let startedAt = 0
  await Promise.all(
    connections.map(async (connection) => {
      while (next < requests.length && performance.now() < endsAt) {
        await sendOne(connection, next++)
        answered += 1
        if (answered === warmUp) startedAt = performance.now()
      }
    }),
  )
  const tookMs = performance.now() - startedAt
  return { failed, answered, per_second: ((answered - warmUp) * SECOND_MS) / tookMs }
}

/** Open loop: a callback is late from the moment at which it was due, also when nobody could send it. */
async function sendByTheClock(perSecond: number) {
  const idle = [...connections]
  const latencies: number[] = []
  const sending: Promise<void>[] = []
  const count = Math.min(requests.length, warmUp + secondsMax * perSecond)
  const startedAt = performance.now()
  const dueAt = (index: number): number => startedAt + (index * SECOND_MS) / perSecond
  let next = 0

  async function sendAndTime(connection: Connection, index: number): Promise<void> {
    await sendOne(connection, index)
    if (index >= warmUp) latencies.push(performance.now() - dueAt(index))
    idle.push(connection)
  }

  while (next < count) {
    while (next < count && dueAt(next) <= performance.now()) {
      const connection = idle.shift()
      if (connection === undefined) break
      sending.push(sendAndTime(connection, next++))
    }
    await Bun.sleep(1)
  }
  await Promise.all(sending)
  latencies.sort((left, right) => left - right)
  const at = (part: number): number => latencies[Math.floor(latencies.length * part)] ?? Infinity
  return { failed, answered: count, p50_ms: at(0.5), p99_ms: at(0.99) }
}
