import { z } from 'zod'
import type { Channel } from '#channel/channel'
import { openDatabase, workerDatabase } from '#db/database'
import { createApiKey } from '#db/account/merchant'
import { assert } from '#domain/assert'
import { newPaymentId } from '#domain/id'
import { cny } from '#domain/money'
import { addMs, systemClock } from '#domain/time'
import { startDurableCluster } from '../support/cluster.ts'
import { createShop } from '../support/shop.ts'
import { TILLS } from '../support/till.ts'
import type { Till } from '../support/till.ts'
import { makeChannel } from './channel.ts'
import { startChild } from './child.ts'
import { makeDatabase } from './database.ts'
import type { PhaseDatabase } from './database.ts'
import { median, rounded } from './figure.ts'

export interface CreateOptions {
  /** The name of the strategy. */
  readonly strategy: string
  readonly requests: number
  readonly say: (line: string) => void
}

const AMOUNT_FEN = 1999
const EXPIRES_IN_MS = 900_000
const TILL_NUMBER = 1
/** Where the gateway says that it can be called: UnionPay's channel looks at it. */
const CALLBACK_HOST = '127.0.0.1:80'

/** One request and the milliseconds until its whole answer was there. */
type Send = () => Promise<number>

/**
 * What our gateway adds to a vendor's own answer time when a payment by QR code is created.
 *
 * The same kind of request goes through the gateway and, alternating with it, straight to the emulator. One
 * is under way at a time: this is about the customer who waits, not about throughput.
 */
export async function benchCreate({ strategy, requests, say }: CreateOptions) {
  const [till] = (await TILLS[strategy]?.([TILL_NUMBER])) ?? []
  assert(till !== undefined, `expected a till of ${strategy}`)
  const cluster = await startDurableCluster()
  try {
    const database = await makeDatabase(cluster.url, till)
    const figures = await measure(till, database, requests)
    say(`${strategy}: ${JSON.stringify(figures)}`)
    return figures
  } finally {
    await cluster.remove()
    await till.vendor.stop()
  }
}

async function measure(till: Till, database: PhaseDatabase, requests: number) {
  const localHosts = [new URL(till.vendor.url).host, CALLBACK_HOST]
  const gateway = startChild('gateway.ts', {
    mode: 'stored',
    databaseUrl: database.url,
    localHosts,
  })
  try {
    const { url } = await gateway.next(z.object({ url: z.string() }))
    const ways = {
      gateway: await throughGateway(till, database, url),
      emulator: straight(till, localHosts),
    }
    const found = await alternate(ways, requests)
    gateway.endInput()
    await gateway.finished()
    return {
      requests,
      gateway_p50_ms: rounded(found.gateway),
      emulator_p50_ms: rounded(found.emulator),
      added_p50_ms: rounded(found.gateway - found.emulator),
    }
  } finally {
    gateway.kill()
  }
}

/** Medians of both ways. The first tenth warms both up and does not count. */
async function alternate(
  { gateway, emulator }: Readonly<Record<'gateway' | 'emulator', Send>>,
  requests: number,
): Promise<Readonly<Record<'gateway' | 'emulator', number>>> {
  const warmUp = Math.ceil(requests / 10)
  const found: Readonly<Record<'gateway' | 'emulator', number[]>> = { gateway: [], emulator: [] }
  for (let index = 0; index < warmUp + requests; index += 1) {
    const times = { emulator: await emulator(), gateway: await gateway() }
    if (index < warmUp) continue
    found.emulator.push(times.emulator)
    found.gateway.push(times.gateway)
  }
  return { gateway: median(found.gateway), emulator: median(found.emulator) }
}

async function throughGateway(
  till: Till,
  { url: databaseUrl, merchantId }: PhaseDatabase,
  url: string,
): Promise<Send> {
  const db = openDatabase(databaseUrl, workerDatabase, () => undefined)
  const apiKey = (await createApiKey(db, merchantId, 'test')).reveal()
  await db.destroy()
  const shop = createShop({ gateway: { url }, apiKey, isUnchecked: true })
  const { wallet } = till
  return async () => {
    const body = {
      ...shop.bodyOf({ amount: AMOUNT_FEN }),
      ...(wallet === undefined ? {} : { wallet }),
    }
    const startedAt = performance.now()
    const response = await shop.post(body, crypto.randomUUID())
    const text = await response.text()
    const tookMs = performance.now() - startedAt
    assert(response.status === 201, `the gateway answered ${response.status}: ${text}`)
    return tookMs
  }
}

/** The same request by the same channel, but only its time on the wire counts. */
function straight(till: Till, localHosts: readonly string[]): Send {
  let tookMs = Number.NaN
  const { channel } = makeChannel(till, {
    clock: systemClock,
    localHosts,
    fetch: async (url, init) => {
      const startedAt = performance.now()
      const response = await fetch(url, init)
      const bytes = await response.arrayBuffer()
      tookMs = performance.now() - startedAt
      return new Response(bytes, response)
    },
  })
  return async () => {
    const { kind } = await channel.createPayment(prepare(till, channel), () => undefined)
    assert(kind === 'created', `expected that the emulator creates a payment, it was ${kind}`)
    return tookMs
  }
}

function prepare({ wallet }: Till, channel: Channel) {
  const paymentId = newPaymentId()
  const outcome = channel.preparePayment({
    paymentId,
    method: 'qr',
    amount: cny(BigInt(AMOUNT_FEN)),
    subject: 'Demo tea set',
    clientIp: '203.0.113.7',
    expiresAt: addMs(systemClock.now(), EXPIRES_IN_MS),
    callbackUrl: `http://127.0.0.1/callback/${paymentId}`,
    returnUrl: `http://127.0.0.1/return/${paymentId}`,
    ...(wallet === undefined ? {} : { wallet }),
  })
  assert(outcome.kind === 'prepared', `the channel did not prepare: ${JSON.stringify(outcome)}`)
  return outcome.prepared
}
