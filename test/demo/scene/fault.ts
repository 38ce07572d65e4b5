import { assert } from '#domain/assert'
import type { PaymentLine } from '../line.ts'
import type { Narrator } from '../narrator.ts'
import type { Stage } from '../stage.ts'
import { counterOf, isPaid, order, playPurchase } from './play.ts'
import { PATIENCE_MS } from './play.ts'
import type { Purchase } from './play.ts'
import { waitFor } from '../../support/wait.ts'

const VENDOR = 'wechat-pay'

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
export async function playFaults(stage: Stage, say: Narrator): Promise<readonly PaymentLine[]> {
  const lines: PaymentLine[] = []
  for (const fault of faults) {
    say.step(fault.title)
    fault.before(stage)
    const line = await playPurchase(stage, { vendor: VENDOR, method: 'qr', ...fault.purchase })
    counterOf(stage, VENDOR).till.vendor.resetKnobs()
    say.check(
      `${line.state}, order ${line.order}, ${line.points} points`,
      isPaid(line, fault.callbacks),
    )
    lines.push(line)
  }
  return lines
}

/** Returns how many forged callbacks were refused. */
export async function playForgery(stage: Stage, say: Narrator): Promise<number> {
  say.step('somebody forges a callback for a payment that nobody has paid')
  const payment = await order(stage, {
    vendor: VENDOR,
    method: 'qr',
    amount: 1999,
    userId: 'buyer-forged',
  })
  const delivery = await counterOf(stage, VENDOR).till.forge?.(payment.id)
  assert(delivery !== undefined, 'expected that a callback can be forged')
  const { state } = await stage.shop.read(payment.id)
  const isGood = delivery.status === 401 && state === 'pending'
  say.check(`refused with ${delivery.status}, the payment is ${state}`, isGood)
  return isGood ? 1 : 0
}

/** Returns how many genuine callbacks with a wrong amount wait for a person. */
export async function playWrongAmount(stage: Stage, say: Narrator): Promise<number> {
  say.step('a genuine callback says one fen less than the order')
  const { till } = counterOf(stage, VENDOR)
  till.vendor.setKnobs({ wrongAmount: -1 })
  const payment = await order(stage, {
    vendor: VENDOR,
    method: 'qr',
    amount: 1000,
    userId: 'buyer-wrong',
  })
  till.pay(payment.id)
  const found = await waitFor(
    'a case about the amount',
    async () => {
      const cases = await stage.shop.cases()
      const own = cases.filter(
        ({ kind, subject }) => kind === 'amount_differs' && subject === payment.id,
      )
      return own.length > 0 ? own : undefined
    },
    PATIENCE_MS,
  )
  till.vendor.resetKnobs()
  const { state } = await stage.shop.read(payment.id)
  const isGood = state === 'pending' && stage.points.balance('buyer-wrong') === 0
  say.check(`stored, a case is open, the payment is ${state}, no points`, isGood)
  return isGood ? found.length : 0
}
