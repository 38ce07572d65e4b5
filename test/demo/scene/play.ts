import { z } from 'zod'
import { assert } from '#domain/assert'
import type { Method, Wallet } from '#domain/method'
import type { PaymentView } from '../../support/shop.ts'
import { waitFor } from '../../support/wait.ts'
import type { PaymentLine } from '../line.ts'
import type { Counter, Stage } from '../stage.ts'

/** What a customer buys, and where. */
export interface Purchase {
  /** The strategy of the account. */
  readonly vendor: string
  readonly method: Method
  readonly wallet?: Wallet
  readonly amount: number
  readonly userId: string
  readonly orderNumber?: string
  readonly expiresInSeconds?: number
}

const FEN_PER_YUAN = 100
export const PATIENCE_MS = 40_000

export function counterOf(stage: Stage, vendor: string): Counter {
  const counter = stage.counters.get(vendor)
  assert(counter !== undefined, `expected an account at ${vendor}`)
  return counter
}

/** The shop asks for a payment. */
export async function order(stage: Stage, purchase: Purchase): Promise<PaymentView> {
  const { accountId } = counterOf(stage, purchase.vendor)
  const { method, amount, userId, orderNumber, wallet, expiresInSeconds } = purchase
  return stage.shop.buyWith({
    ...stage.shop.bodyOf({ method, amount, userId, ...(orderNumber && { orderNumber }) }),
    channel_account: accountId,
    ...(wallet && { wallet }),
    ...(expiresInSeconds && { expires_in_s: expiresInSeconds }),
  })
}

/** The customer does what the page or app says, and pays. */
export async function follow(stage: Stage, vendor: string, payment: PaymentView): Promise<void> {
  const { till } = counterOf(stage, vendor)
  await till.follow(nextAction.parse(payment.next_action), payment.id)
}

const texts = z.record(z.string(), z.string())

/** What the merchant API says that must be done; it says more about codes than is needed here. */
const nextAction = z.discriminatedUnion('type', [
  z.object({ type: z.literal('form'), action: z.string(), fields: texts }),
  z.object({ type: z.literal('redirect'), url: z.string() }),
  z.object({ type: z.literal('qr_code'), content: z.string() }),
  z.object({ type: z.literal('sdk'), params: texts }),
])

/** Deliveries about a payment that the vendor holds for acknowledged. */
export const acknowledged = (stage: Stage, vendor: string, id: string): number =>
  counterOf(stage, vendor)
    .till.vendor.deliveries()
    .filter((delivery) => delivery.orderNumber === id && delivery.acknowledged).length

export const pointsOf = (stage: Stage, userId: string, points: number): Promise<number> =>
  waitFor(
    `${points} points of ${userId}`,
    () => (stage.points.balance(userId) === points ? { points } : undefined),
    PATIENCE_MS,
  ).then((found) => found.points)

/** Buys, pays, waits for the money and its points, and reads from outside what came of it. */
export async function playPurchase(stage: Stage, purchase: Purchase): Promise<PaymentLine> {
  const payment = await order(stage, purchase)
  await follow(stage, purchase.vendor, payment)
  const paid = await stage.shop.waitForState(payment.id, 'paid', PATIENCE_MS)
  const points = Math.floor(purchase.amount / FEN_PER_YUAN)
  return {
    channel: purchase.vendor.replaceAll('-', '_'),
    method: purchase.method,
    ...(purchase.wallet && { wallet: purchase.wallet }),
    next_action: payment.next_action?.type ?? 'none',
    state: paid.state,
    order: paid.order.state,
    points: await pointsOf(stage, purchase.userId, points),
    callbacks: acknowledged(stage, purchase.vendor, payment.id),
  }
}

export const isPaid = (line: PaymentLine, callbacks: number): boolean =>
  line.state === 'paid' && line.order === 'paid' && line.callbacks === callbacks
