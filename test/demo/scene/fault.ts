import { assert } from '#domain/assert'
import { waitFor } from '../../support/wait.ts'
import type { Narrator } from '../narrator.ts'
import type { Stage } from '../stage.ts'
import { PATIENCE_MS, counterOf, isAsSold, order, playPurchase, readLine } from './play.ts'
import type { Purchase, Sale, Scene } from './play.ts'

const VENDOR = 'wechat-pay'
/** The kind of the one case that the whole story leaves to a person. */
export const WRONG_AMOUNT = 'amount_differs'

interface Fault {
  readonly title: string
  readonly purchase: Pick<Purchase, 'amount' | 'userId'>
  readonly callbacks: number
  /** Makes the world misbehave before the customer pays; it is mended afterwards. */
  readonly before: (stage: Stage) => void
}

const faults: readonly Fault[] = [
  {
    title: 'WeChat Pay delivers one callback five times',
    purchase: { amount: 500, userId: 'buyer-five' },
    callbacks: 5,
    before: (stage) =>
      counterOf(stage, VENDOR).till.vendor.setKnobs({ duplicate: 5, duplicateOrder: 'parallel' }),
  },
  {
    title: 'every callback of a payment is lost; a query finds the money',
    purchase: { amount: 700, userId: 'buyer-lost' },
    callbacks: 0,
    before: (stage) =>
      counterOf(stage, VENDOR).till.vendor.setKnobs({ dropCallbacks: true, dropForever: true }),
  },
  {
    title: 'the points system is away for a while, and heals',
    purchase: { amount: 900, userId: 'buyer-outage' },
    callbacks: 1,
    before: ({ points }) => void points.setKnobs({ mode: 'down', times: 2 }),
  },
]

/** Things go wrong on the way; the money is found and the points are given once. */
export async function playFaults(stage: Stage, say: Narrator): Promise<readonly Sale[]> {
  const sales: Sale[] = []
  for (const { title, purchase, callbacks, before } of faults) {
    say.step(title)
    before(stage)
    const wanted = { vendor: VENDOR, method: 'qr' as const, ...purchase }
    const sale = await playPurchase(stage, wanted, callbacks)
    counterOf(stage, VENDOR).till.vendor.resetKnobs()
    const line = await readLine(stage, sale)
    say.check(`${line.state}, order ${line.order}, ${line.points} points`, isAsSold(line, sale))
    sales.push(sale)
  }
  return sales
}

/** A callback that is not the vendor's moves nothing. */
export async function playForgery(stage: Stage, say: Narrator): Promise<Scene> {
  say.step('somebody forges a callback for a payment that nobody has paid')
  const userId = 'buyer-forged'
  const payment = await order(stage, { vendor: VENDOR, method: 'qr', amount: 1999, userId })
  const delivery = await counterOf(stage, VENDOR).till.forge?.(payment.id)
  assert(delivery !== undefined, 'expected that a callback can be forged')
  const { state } = await stage.shop.read(payment.id)
  say.check(
    `refused with ${delivery.status}, the payment is ${state}`,
    delivery.status === 401 && state === 'pending',
  )
  return { refunds: [], balances: { [userId]: 0 } }
}

/** What callback and query say about the amount is genuine and wrong: it waits for a person. */
export async function playWrongAmount(stage: Stage, say: Narrator): Promise<Scene> {
  say.step('the vendor took one fen less than the order says')
  const userId = 'buyer-wrong'
  const { till } = counterOf(stage, VENDOR)
  const payment = await order(stage, { vendor: VENDOR, method: 'qr', amount: 1000, userId })
  till.payOther?.(payment.id, 999)
  await waitFor(
    'a case about the amount',
    async () => {
      const cases = await stage.shop.cases()
      return cases.find(({ kind, subject }) => kind === WRONG_AMOUNT && subject === payment.id)
    },
    PATIENCE_MS,
  )
  const { state } = await stage.shop.read(payment.id)
  say.check(`stored, a case is open, the payment is ${state}`, state === 'pending')
  return { refunds: [], balances: { [userId]: 0 } }
}
