import { z } from 'zod'
import { assert } from '#domain/assert'
import { addMs } from '#domain/time'
import { waitFor } from '../../support/wait.ts'
import type { PaymentView, RefundView } from '../../support/shop.ts'
import type { RefundLine } from '../line.ts'
import type { Narrator } from '../narrator.ts'
import type { Stage } from '../stage.ts'
import { PATIENCE_MS, acknowledged, counterOf, follow, order, pointsOf } from './play.ts'
import type { Purchase, Scene } from './play.ts'

const REFUND_PATIENCE_MS = 90_000
/** WeChat Pay takes a second part of one payment after a minute. */
const PAUSE_MS = 61_000

/** The first refund of a payment that is done. */
export const refunded = (stage: Stage, payment: string): Promise<RefundView> =>
  waitFor(
    `a refund of ${payment}`,
    async () => {
      const refunds = await stage.shop.refundsOf(payment)
      return refunds.find(({ state }) => state === 'succeeded')
    },
    REFUND_PATIENCE_MS,
  )

export const lineOf = (vendor: string, refund: RefundView): RefundLine => ({
  channel: vendor.replaceAll('-', '_'),
  amount: refund.amount,
  state: refund.state,
  points_taken_back: refund.points_taken_back,
})

/** Two attempts of one order are paid: the second is given back, and earns no points. */
export async function playDouble(stage: Stage, say: Narrator): Promise<Scene> {
  say.step('a customer pays one order twice, at two vendors')
  const purchase = {
    method: 'qr' as const,
    amount: 1500,
    userId: 'buyer-double',
    orderNumber: 'order-double',
  }
  const first = await buy(stage, { ...purchase, vendor: 'alipay' })
  const second = await buy(stage, { ...purchase, vendor: 'wechat-pay' })
  await follow(stage, 'alipay', first)
  await stage.shop.waitForState(first.id, 'paid', PATIENCE_MS)
  await follow(stage, 'wechat-pay', second)
  const paid = await stage.shop.waitForState(second.id, 'paid', PATIENCE_MS)
  const refund = await refunded(stage, second.id)
  const points = await pointsOf(stage, 'buyer-double', 15)
  const isGood =
    paid.disposition === 'excess' && paid.order.state === 'paid' && refund.amount === 1500
  say.check(`the second is ${paid.disposition} and given back, ${points} points once`, isGood)
  return { refunds: [lineOf('wechat-pay', refund)], balances: { 'buyer-double': 15 } }
}

/** Money for an order that the shop has closed is given back by the merchant's policy. */
export async function playLate(stage: Stage, say: Narrator): Promise<Scene> {
  say.step('the shop closes an order; the money arrives afterwards')
  const payment = await buy(stage, {
    vendor: 'wechat-pay',
    method: 'qr',
    amount: 800,
    userId: 'buyer-late',
    orderNumber: 'order-late',
  })
  await stage.shop.closeOrder('order-late')
  await stage.shop.waitForState(payment.id, 'closed', PATIENCE_MS)
  counterOf(stage, 'wechat-pay').till.payLate?.(payment.id)
  const paid = await stage.shop.waitForState(payment.id, 'paid', PATIENCE_MS)
  const refund = await refunded(stage, payment.id)
  const isGood = paid.disposition === 'late' && paid.order.state === 'closed'
  say.check(`the payment is ${paid.disposition} and given back, the order stays closed`, isGood)
  return { refunds: [lineOf('wechat-pay', refund)], balances: { 'buyer-late': 0 } }
}

/** Two parts of a payment are given back, and the points with them. */
export async function playParts(stage: Stage, say: Narrator): Promise<Scene> {
  say.step('the shop gives back a payment in two parts')
  const [vendor, userId] = ['wechat-pay', 'buyer-parts']
  const payment = await buy(stage, { vendor, method: 'qr', amount: 2000, userId })
  await follow(stage, vendor, payment)
  await stage.shop.waitForState(payment.id, 'paid', PATIENCE_MS)
  await pointsOf(stage, userId, 20)
  const first = await takenBack(stage, await stage.shop.refund(payment.id, 500))
  const second = await stage.shop.refund(payment.id, 1500)
  stage.passTo(addMs(stage.clock(), PAUSE_MS))
  say.step('a minute passes: the vendor wants that pause between two parts of one payment')
  const done = [first, await takenBack(stage, second)]
  const { order: after } = await stage.shop.read(payment.id)
  const isGood = after.state === 'refunded' && stage.points.balance(userId) === 0
  say.check(`5.00 and 15.00 given back, the order is ${after.state}, no points are left`, isGood)
  return { refunds: done.map((refund) => lineOf(vendor, refund)), balances: { [userId]: 0 } }
}

const takenBack = (stage: Stage, { id }: RefundView): Promise<RefundView> =>
  waitFor(
    `refund ${id} and its points`,
    async () => {
      const refund = await stage.shop.readRefund(id)
      return refund.state === 'succeeded' && refund.points_taken_back > 0 ? refund : undefined
    },
    REFUND_PATIENCE_MS,
  )

/** Less than a minute is nothing that the vendor would take. */
const EXPIRES_IN_SECONDS = 65
const BEFORE_EXPIRY_MS = 2000
/** Past the margin after which the vendor is asked for the last time, and an unpaid payment is closed. */
const AFTER_EXPIRY_MS = 6000

/** The customer pays in the last seconds and the callback is lost: the expiry meets the payment. */
export async function playExpiry(stage: Stage, say: Narrator): Promise<Scene> {
  say.step('a payment is made two seconds before it expires, and its callback is lost')
  const [vendor, userId] = ['wechat-pay', 'buyer-expiry']
  const payment = await buy(stage, {
    vendor,
    method: 'qr',
    amount: 600,
    userId,
    expiresInSeconds: EXPIRES_IN_SECONDS,
  })
  stage.passTo(addMs(payment.expires_at, -BEFORE_EXPIRY_MS))
  await waitFor(
    'the last query before the expiry',
    async () => ((await countQueries(stage, payment.id)) === 1 ? true : undefined),
    PATIENCE_MS,
  )
  await payUnheard(stage, vendor, payment)
  stage.passTo(addMs(payment.expires_at, AFTER_EXPIRY_MS))
  const paid = await stage.shop.waitForState(payment.id, 'paid', REFUND_PATIENCE_MS)
  const points = await pointsOf(stage, userId, 6)
  const heard = acknowledged(stage, vendor, payment.id)
  const queries = await countQueries(stage, payment.id)
  const isGood =
    paid.order.state === 'paid' && paid.disposition === 'counted' && heard === 0 && queries === 2
  say.check(
    `no callback came; asked once more at the end, it is ${paid.state}, the order is ${paid.order.state}, ${points} points`,
    isGood,
  )
  return { refunds: [], balances: { [userId]: 6 } }
}

/** How often the vendor was asked about a payment, as the merchant reads it. */
async function countQueries(stage: Stage, id: string): Promise<number> {
  const entries = await stage.shop.list(`/v1/payments/${id}/timeline`, timelineEntry)
  return entries.filter(({ kind }) => kind === 'query').length
}

const timelineEntry = z.object({ kind: z.string() })

/** Pays while every callback of the vendor is lost, until this payment's own was. */
async function payUnheard(stage: Stage, vendor: string, payment: PaymentView): Promise<void> {
  const { till } = counterOf(stage, vendor)
  till.vendor.setKnobs({ dropCallbacks: true, dropForever: true })
  await follow(stage, vendor, payment)
  await waitFor(
    `the lost callback of ${payment.id}`,
    () =>
      till.vendor
        .deliveries()
        .find(({ orderNumber, outcome }) => orderNumber === payment.id && outcome === 'dropped'),
    PATIENCE_MS,
  )
  // The other knobs belong to scenes that play beside this one.
  till.vendor.setKnobs({ dropCallbacks: 0, dropForever: false })
}

async function buy(stage: Stage, purchase: Purchase) {
  const payment = await order(stage, purchase)
  assert(payment.next_action !== null, `expected that ${payment.id} can be paid`)
  return payment
}
