import { deliveriesFor, sendForgery } from '../emulator/wechat-pay/by-number.ts'
import type { Platform } from '../support/platform.ts'
import { createShop } from '../support/shop.ts'
import type { PaymentView, Purchase } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'
import type { Narrator } from './narrator.ts'

/** One payment that was meant to be paid. Every figure is read from outside of the platform. */
export interface PaymentLine {
  readonly channel: 'wechat_pay'
  readonly method: string
  readonly next_action: string
  /** From the merchant API. */
  readonly state: string
  readonly order: string
  /** From the points service's own database. */
  readonly points: number
  /** Deliveries that the emulator saw acknowledged as success. */
  readonly callbacks: number
}

export interface StoryResult {
  readonly ok: boolean
  readonly payments: readonly PaymentLine[]
  readonly rejected: number
  readonly quarantined: number
  readonly elapsed_ms: number
}

interface Scene {
  readonly title: string
  readonly purchase: Purchase & { readonly method: string; readonly amount: number }
  readonly callbacks: number
  /** Makes the world misbehave before the customer pays, and mends it at the end. */
  readonly before?: (platform: Platform) => void
}

const METHODS = ['qr', 'jsapi', 'mini_program', 'h5', 'app']
const FEN_PER_YUAN = 100
const POINTS_TIMEOUT_MS = 30_000

const scenes: readonly Scene[] = [
  ...METHODS.map((method, index) => ({
    title: `a customer pays by ${method}`,
    purchase: { method, amount: 1999 + index * FEN_PER_YUAN, userId: `buyer-${method}` },
    callbacks: 1,
  })),
  {
    title: 'WeChat Pay delivers one callback five times',
    purchase: { method: 'qr', amount: 500, userId: 'buyer-five' },
    callbacks: 5,
    before: ({ emulator }) => emulator.setKnobs({ duplicate: 5, duplicateOrder: 'parallel' }),
  },
  {
    title: 'every callback of a payment is lost; a query finds the money',
    purchase: { method: 'qr', amount: 700, userId: 'buyer-lost' },
    callbacks: 0,
    before: ({ emulator }) => emulator.setKnobs({ dropCallbacks: true, dropForever: true }),
  },
  {
    title: 'the points system is away for a while',
    purchase: { method: 'qr', amount: 900, userId: 'buyer-outage' },
    callbacks: 1,
    before: ({ points }) => points.setKnobs({ mode: 'down', times: 2 }),
  },
]

/** Plays the story once and checks every line of it. */
export async function runStory(
  platform: Platform,
  say: Narrator,
  startedAt: number,
): Promise<StoryResult> {
  const payments: PaymentLine[] = []
  const checks: boolean[] = []
  for (const scene of scenes) {
    say.step(scene.title)
    const line = await playScene(platform, scene)
    const isGood = isExpected(scene, line)
    say.check(`${line.state}, order ${line.order}, ${line.points} points`, isGood)
    payments.push(line)
    checks.push(isGood)
  }
  const rejected = await playForgery(platform, say)
  const quarantined = await playWrongAmount(platform, say)
  return {
    ok: checks.every(Boolean) && rejected === 1 && quarantined === 1,
    payments,
    rejected,
    quarantined,
    elapsed_ms: Math.round(performance.now() - startedAt),
  }
}

function isExpected(scene: Scene, line: PaymentLine): boolean {
  const points = Math.floor(scene.purchase.amount / FEN_PER_YUAN)
  return (
    line.state === 'paid' &&
    line.order === 'paid' &&
    line.points === points &&
    line.callbacks === scene.callbacks
  )
}

async function playScene(platform: Platform, scene: Scene): Promise<PaymentLine> {
  const shop = createShop(platform)
  scene.before?.(platform)
  const payment = await shop.buy(scene.purchase)
  await pay(platform, payment)
  const paid = await shop.waitForState(payment.id, 'paid', POINTS_TIMEOUT_MS)
  const points = await waitFor(
    `points of ${payment.order.user_id}`,
    () => positive(platform.points.balance(payment.order.user_id)),
    POINTS_TIMEOUT_MS,
  )
  platform.emulator.resetKnobs()
  const acknowledged = deliveriesFor(platform.emulator, payment.id).filter(
    (item) => item.acknowledged,
  )
  return {
    channel: 'wechat_pay',
    method: scene.purchase.method,
    next_action: payment.next_action?.type ?? 'none',
    state: paid.state,
    order: paid.order.state,
    points,
    callbacks: acknowledged.length,
  }
}

const positive = (value: number): number | undefined => (value > 0 ? value : undefined)

/** The customer pays, and the vendor delivers for as long as it wants to. */
async function pay(platform: Platform, payment: PaymentView): Promise<void> {
  const outcome = platform.emulator.pay(payment.id)
  if (outcome.kind !== 'paid') throw new Error(`the customer could not pay: ${outcome.reason}`)
  await outcome.done
}

/** Returns how many forged callbacks were refused. */
async function playForgery(platform: Platform, say: Narrator): Promise<number> {
  say.step('somebody forges a callback for a payment that nobody has paid')
  const shop = createShop(platform)
  const payment = await shop.buy({ userId: 'buyer-forged' })
  const delivery = await sendForgery(platform.emulator, 'rogue_key', payment.id)
  const { state } = await shop.read(payment.id)
  const isGood = delivery.status === 401 && state === 'pending'
  say.check(`refused with ${delivery.status}, the payment is ${state}`, isGood)
  return isGood ? 1 : 0
}

/** Returns how many genuine callbacks with a wrong amount wait for a person. */
async function playWrongAmount(platform: Platform, say: Narrator): Promise<number> {
  say.step('a genuine callback says one fen less than the order')
  platform.emulator.setKnobs({ wrongAmount: -1 })
  const payment = await createShop(platform).buy({ userId: 'buyer-wrong', amount: 1000 })
  await pay(platform, payment)
  platform.emulator.resetKnobs()
  const count = await waitFor('the quarantine', async () => {
    const rows = await platform.db
      .selectFrom('notification')
      .select('id')
      .where('payment_number', '=', payment.id)
      .where('state', '=', 'quarantined')
      .execute()
    return positive(rows.length)
  })
  const [delivery] = deliveriesFor(platform.emulator, payment.id)
  const isGood = delivery?.acknowledged === true && platform.points.balance('buyer-wrong') === 0
  say.check('stored, acknowledged, a case is open, no points', isGood)
  return isGood ? count : 0
}
