import { z } from 'zod'
import { assert } from '#domain/assert'
import type { Method, Wallet } from '#domain/method'
import type { PaymentView } from '../../support/shop.ts'
import { waitFor } from '../../support/wait.ts'
import type { PaymentLine, RefundLine } from '../line.ts'
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

/** What a scene leaves behind: refunds, and the points that its customers must have in the end. */
export interface Scene {
  readonly refunds: readonly RefundLine[]
  readonly balances: Readonly<Record<string, number>>
}

/** The points that an amount earns: one for each whole yuan. */
const pointsFor = (amount: number): number => Math.floor(amount / FEN_PER_YUAN)

/** A purchase that was paid, and how many of the vendor's callbacks were to be acknowledged. */
export interface Sale {
  readonly purchase: Purchase
  readonly payment: PaymentView
  readonly callbacks: number
}

/** Buys, pays, and waits for the money, its points and what the vendor still has to say. */
export async function playPurchase(stage: Stage, purchase: Purchase, callbacks = 1): Promise<Sale> {
  const payment = await order(stage, purchase)
  await follow(stage, purchase.vendor, payment)
  await stage.shop.waitForState(payment.id, 'paid', PATIENCE_MS)
  await pointsOf(stage, purchase.userId, pointsFor(purchase.amount))
  await waitFor(
    `${callbacks} callbacks of ${payment.id}`,
    () => acknowledged(stage, purchase.vendor, payment.id) >= callbacks || undefined,
    PATIENCE_MS,
  )
  return { purchase, payment, callbacks }
}

/** Reads from outside how a sale stands at this moment. */
export async function readLine(stage: Stage, { purchase, payment }: Sale): Promise<PaymentLine> {
  const { state, order: paid } = await stage.shop.read(payment.id)
  return {
    channel: purchase.vendor.replaceAll('-', '_'),
    method: purchase.method,
    ...(purchase.wallet && { wallet: purchase.wallet }),
    next_action: payment.next_action?.type ?? 'none',
    state,
    order: paid.state,
    points: stage.points.balance(purchase.userId),
    callbacks: acknowledged(stage, purchase.vendor, payment.id),
  }
}

/** Paid, with exactly its points and its callbacks. */
export const isAsSold = (line: PaymentLine, { purchase, callbacks }: Sale): boolean =>
  line.state === 'paid' &&
  line.order === 'paid' &&
  line.points === pointsFor(purchase.amount) &&
  line.callbacks === callbacks
