import { assert } from '#domain/assert'
import { orderObject } from '../emulator/wechat-pay/order.ts'
import { refundNotice } from '../emulator/wechat-pay/refund.ts'
import type { SerialMode } from '../emulator/wechat-pay/vendor-signature.ts'
import type { Account, World } from './world.ts'

/** One thing that the vendor tells us, as often and as late as the simulation likes. */
export interface VendorEvent {
  readonly id: string
  readonly orderNumber: string
  readonly eventType: string
  readonly plaintext: string
  readonly account: 'main' | 'other'
  isAcknowledged: boolean
}

/** What the vendor has to tell. Its own sends are lost on the way, all of them; these are the real ones. */
export interface Outbox {
  readonly events: VendorEvent[]
  /** Which of its keys the vendor signs with now. */
  serialMode: SerialMode
}

export const newOutbox = (): Outbox => ({ events: [], serialMode: 'public' })

/** Writes down what the vendor says about a payment, as of now. */
export function tellPayment({ town }: World, outbox: Outbox, id: string, eventId: string): void {
  const order = town.vendor.order(id, town.main.mchid)
  assert(order?.payment !== undefined, `expected that the vendor has the money of ${id}`)
  outbox.events.push({
    id: eventId,
    orderNumber: id,
    eventType: 'TRANSACTION.SUCCESS',
    plaintext: JSON.stringify(orderObject(order)),
    account: 'main',
    isAcknowledged: false,
  })
}

/** Writes down the refunds of these payments that have ended since the last look. */
export function tellRefunds({ town }: World, outbox: Outbox, ids: readonly string[]): void {
  const refunds = ids.flatMap((id) => town.vendor.refundsOf(id))
  for (const refund of refunds.filter(({ status }) => status !== 'PROCESSING')) {
    const id = `refund-${refund.outRefundNo}-${refund.status}`
    if (outbox.events.some((event) => event.id === id)) continue
    outbox.events.push({
      id,
      orderNumber: refund.outTradeNo,
      eventType: `REFUND.${refund.status}`,
      plaintext: JSON.stringify(refundNotice(refund)),
      account: 'main',
      isAcknowledged: false,
    })
  }
}

const TRIES_MAX = 5

/**
 * Sends an event once more, signed afresh, and again where the answer is that we have too much to do. Returns
 * the status of the last answer; `null` when there was none.
 */
export async function sendEvent(
  world: World,
  outbox: Outbox,
  event: VendorEvent,
): Promise<number | null> {
  for (let attempt = 1; ; attempt += 1) {
    const status = await sendOnce(world, outbox, event)
    if (status !== 503 || attempt === TRIES_MAX) return status
  }
}

export async function sendOnce(
  world: World,
  outbox: Outbox,
  event: VendorEvent,
): Promise<number | null> {
  const account: Account = world[event.account]
  const delivery = await world.town.vendor.sendCallback({
    url: `${world.gatewayUrl()}/callback/${account.id}`,
    plaintext: event.plaintext,
    eventType: event.eventType,
    eventId: event.id,
    mchid: account.name.mchid,
    outTradeNo: event.orderNumber,
    serialMode: outbox.serialMode,
  })
  if (delivery.acknowledged) {
    event.isAcknowledged = true
    account.acknowledged.add(`evt:${event.id}`)
  }
  return delivery.status
}
