import { z } from 'zod'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'
import type { StoryName } from './cell.ts'
import type { Lane } from './lane.ts'
import { areJobsDone, areRowsDone, letMinutePass } from './lapse.ts'

/** What a story has led to, by the merchant's and the customer's names. */
export interface Told {
  readonly userId: string
  readonly paymentId: string
  readonly refundId: string
}

/** 199 yuan earn 199 points; of 50 yuan that go back, the share is 50. */
export const PAID = 19_900
export const REFUNDED = 5000
export const POINTS = 199
export const POINTS_BACK = 50

const STEP_MS = 80
const LAPSE_AFTER_MS = 1500
/** A process comes back within a second or two; a machine that does much else takes far longer. */
const WAIT_MS_MAX = 120_000

/** Tells the standard story to its end, whatever breaks meanwhile: everybody repeats what was not answered. */
export async function tell(lane: Lane, name: StoryName, expectStored: () => Promise<void>) {
  const shop = createShop({ gateway: { url: lane.url }, apiKey: lane.apiKey })
  const userId = `user-${crypto.randomUUID()}`
  const paymentId = await buy(lane, shop, userId)
  await STORIES[name](lane, shop, paymentId, expectStored)
  await patiently(lane, 'points', () => lane.points.balance(userId) === POINTS || undefined)
  const refundId = await giveBack(lane, shop, paymentId)
  await patiently(lane, 'the refund', async () => {
    const refund = await shop.readRefund(refundId)
    return refund.state === 'succeeded' || undefined
  })
  const left = POINTS - POINTS_BACK
  await patiently(lane, 'the take-back', () => lane.points.balance(userId) === left || undefined)
  await comeToRest(lane)
  return { userId, paymentId, refundId } satisfies Told
}

type Shop = ReturnType<typeof createShop>

type Pay = (
  lane: Lane,
  shop: Shop,
  paymentId: string,
  expectStored: () => Promise<void>,
) => Promise<void>

/** How the customer pays, and how we hear of it. */
const STORIES: Readonly<Record<StoryName, Pay>> = {
  async sale(lane, shop, paymentId, expectStored) {
    const { emulator } = lane
    emulator.resetKnobs()
    const result = emulator.pay(paymentId)
    if (result.kind === 'refused') throw new Error(`cannot pay: ${result.reason}`)
    await result.done
    // Before the vendor calls again: a second callback would bring back what the first has lost.
    await expectStored()
    await emulator.resend(paymentId)
    await emulator.idle()
    await waitForPaid(lane, shop, paymentId)
  },
  async silence(lane, shop, paymentId) {
    lane.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
    const result = lane.emulator.pay(paymentId)
    if (result.kind === 'refused') throw new Error(`cannot pay: ${result.reason}`)
    await result.done
    const { headers } = shop
    const url = `${lane.url}/v1/payments/${paymentId}/query`
    await patiently(lane, 'the query', () =>
      answered(() => fetch(url, { method: 'POST', headers })),
    )
    await waitForPaid(lane, shop, paymentId)
  },
}

const waitForPaid = (lane: Lane, shop: Shop, paymentId: string): Promise<true> =>
  patiently(
    lane,
    'the payment',
    async () => (await shop.read(paymentId)).state === 'paid' || undefined,
  )

const created = z.object({ id: z.string(), next_action: z.unknown() })

/** Buys with a double click: both requests get the one payment. */
async function buy(lane: Lane, shop: Shop, userId: string): Promise<string> {
  const body = shop.bodyOf({ userId, amount: PAID })
  const ask = async (key: string) =>
    created.parse(
      await patiently(lane, 'the payment page', () => answered(() => shop.post(body, key))),
    )
  const first = await ask(crypto.randomUUID())
  const second = await ask(crypto.randomUUID())
  if (first.id !== second.id) throw new Error(`two payments: ${first.id}, ${second.id}`)
  // The vendor may not have been heard: the same bytes go out again until it is.
  await patiently(lane, 'something to pay', async () => {
    const now = second.next_action === null ? await ask(crypto.randomUUID()) : second
    return now.next_action === null ? undefined : true
  })
  return first.id
}

async function giveBack(lane: Lane, shop: Shop, paymentId: string): Promise<string> {
  const key = crypto.randomUUID()
  const refund = await patiently(lane, 'the refund to be taken', () =>
    answered(() => shop.askRefund(paymentId, { amount: REFUNDED }, key)),
  )
  return z.object({ id: z.string() }).parse(refund).id
}

/** Nothing waits, nothing runs, nothing is repeated any more. */
async function comeToRest(lane: Lane): Promise<void> {
  await lane.emulator.idle()
  await patiently(
    lane,
    'rest',
    async () => ((await areRowsDone(lane.db)) && (await areJobsDone(lane.db))) || undefined,
  )
}

const REPEATED = new Set([409, 500, 502, 503])

/** The answer's content; `undefined` for none, and for one that asks for another try. */
async function answered(call: () => Promise<Response>): Promise<unknown> {
  const response = await call()
  const text = await response.text()
  if (response.ok) return JSON.parse(text)
  if (REPEATED.has(response.status)) return undefined
  throw new Refused(`answer ${response.status}: ${text}`)
}

/** An answer that no repeat would change. */
class Refused extends Error {
  override readonly name = 'Refused'
}

/** Asks again and again, and lets a minute pass from time to time. What is cut off is asked again. */
async function patiently<T>(
  lane: Lane,
  what: string,
  read: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  let lapsedAt = performance.now()
  let last: unknown
  async function attempt(): Promise<T | undefined> {
    try {
      if (performance.now() - lapsedAt > LAPSE_AFTER_MS) {
        lapsedAt = performance.now()
        await letMinutePass(lane.db)
      }
      return await read()
    } catch (error) {
      if (error instanceof Refused) throw error
      last = error
      return undefined
    }
  }
  try {
    return await waitFor(what, attempt, WAIT_MS_MAX, STEP_MS)
  } catch (error) {
    throw last === undefined ? error : new Error(`${messageOf(error)}: ${messageOf(last)}`)
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : JSON.stringify(error)
