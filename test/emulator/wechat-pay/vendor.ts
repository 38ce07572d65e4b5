import { AppendLog } from '../append-log.ts'
import type { Delivery } from '../delivery-log.ts'
import type { EmulatedMerchant } from './authorization.ts'
import type { CallbackEvent, Campaign } from './delivery-desk.ts'
import { DeliveryDesk } from './delivery-desk.ts'
import type { Forgery } from './forge.ts'
import { sendForgery } from './forge.ts'
import type { VendorKeys } from './keys.ts'
import { FaultPanel } from './knobs.ts'
import type { EmulatedOrder } from './order.ts'
import { claimSuccess, orderObject } from './order.ts'
import type { PayMove, PayOptions } from './order-book.ts'
import { OrderBook } from './order-book.ts'
import type { SerialMode } from './vendor-signature.ts'

/** One API request as the vendor saw it. `status` is `null` if it was never answered. */
export interface RequestEntry {
  readonly method: string
  readonly target: string
  readonly status: number | null
  readonly code: string | null
  readonly at: string
}

export interface VendorSettings {
  readonly merchants: readonly EmulatedMerchant[]
  readonly keys: VendorKeys
  readonly rogueKeyPem: string
  readonly now: () => Date
  readonly retryDelaysMs: readonly number[]
  readonly answerWithinMs: number
  readonly deliveryLogPath: string | undefined
}

export type PayResult =
  | ({
      readonly kind: 'paid'
      readonly eventId: string
      readonly transactionId: string
    } & Campaign)
  | Extract<PayMove, { kind: 'refused' }>

/** A forged callback: an order's success, or any plaintext to any address. */
export interface ForgeRequest {
  readonly forgery: Forgery
  readonly outTradeNo: string
  /** The order's notify_url unless given. */
  readonly url?: string
  readonly mchid?: string
  /** Replaces the amount, fen. */
  readonly amount?: number
  /** Replaces the whole plaintext. */
  readonly plaintext?: unknown
  readonly serialMode?: SerialMode
}

/** A genuine callback with whatever plaintext. */
export interface CallbackRequest {
  readonly url: string
  /** JSON text, or a value that becomes it. */
  readonly plaintext: unknown
  readonly eventType?: string
  readonly eventId?: string
  /** Whose APIv3 key seals it; the first merchant's unless given. */
  readonly mchid?: string
  /** For the log only. */
  readonly outTradeNo?: string
  readonly serialMode?: SerialMode
}

/** The vendor's business: its books, its callbacks, its fault panel. No HTTP server. */
export class WechatPayVendor {
  readonly settings: VendorSettings
  readonly panel = new FaultPanel()
  readonly book: OrderBook
  readonly deliveries: AppendLog<Delivery>
  readonly requests = new AppendLog<RequestEntry>()
  readonly desk: DeliveryDesk
  readonly #lastEvents = new Map<string, CallbackEvent>()

  constructor(settings: VendorSettings) {
    this.settings = settings
    this.book = new OrderBook(settings.now)
    this.deliveries = new AppendLog(settings.deliveryLogPath)
    this.desk = new DeliveryDesk({ ...settings, panel: this.panel, log: this.deliveries })
  }

  /** The buyer pays; the callback starts on its way and the caller need not wait for it. */
  pay(outTradeNo: string, options: PayOptions = {}): PayResult {
    const move = this.book.pay(outTradeNo, options)
    if (move.kind === 'refused') return move
    const { order } = move
    const content = shiftAmount(orderObject(order), this.panel.takeWrongAmount())
    const event = this.#newEvent(order, content)
    this.#lastEvents.set(outTradeNo, event)
    const campaign = this.desk.start(event)
    const transactionId = order.payment?.transactionId ?? ''
    return { kind: 'paid', eventId: event.eventId, transactionId, ...campaign }
  }

  /** Sends the last event of an order again, acknowledged or not. `undefined`: there is none. */
  resend(outTradeNo: string): Campaign | undefined {
    const event = this.#lastEvents.get(outTradeNo)
    return event === undefined ? undefined : this.desk.start(event)
  }

  /** Marks a paid order as refunded in part or whole. `false`: there is no paid order. */
  markRefunded(outTradeNo: string, mchid?: string): boolean {
    const order = this.book.findAny(outTradeNo, mchid)
    if (order?.payment === undefined) return false
    this.book.move(order, 'REFUND')
    return true
  }

  /** `undefined`: no such order, and the request does not say enough without one. */
  forge(request: ForgeRequest): Promise<Delivery> | undefined {
    const order = this.book.findAny(request.outTradeNo, request.mchid)
    const url = request.url ?? order?.body.notify_url
    const content = request.plaintext ?? (order && this.#claim(order, request.amount))
    if (url === undefined || content === undefined) return undefined
    const mchid = request.mchid ?? order?.body.mchid
    const event = this.#event({ outTradeNo: request.outTradeNo, url, content, mchid })
    return sendForgery(this.desk, event, {
      forgery: request.forgery,
      serialMode: request.serialMode ?? 'public',
      rogueKeyPem: this.settings.rogueKeyPem,
    })
  }

  /** Sends a genuine callback once. */
  sendCallback(request: CallbackRequest): Promise<Delivery> {
    const { url, plaintext: content, mchid, outTradeNo = '' } = request
    const event = this.#event({ outTradeNo, url, content, mchid })
    const named: CallbackEvent = {
      ...event,
      ...(request.eventId !== undefined && { eventId: request.eventId }),
      ...(request.eventType !== undefined && { eventType: request.eventType }),
    }
    const serialMode = request.serialMode ?? 'public'
    const how = { attempt: 1, style: { kind: 'genuine' }, serialMode } as const
    return this.desk.send(this.desk.parcel(named, how))
  }

  #claim(order: EmulatedOrder, amount: number | undefined): Record<string, unknown> {
    const { total } = order.body.amount
    const claim = orderObject(claimSuccess(order, this.settings.now()))
    return shiftAmount(claim, (amount ?? total) - total)
  }

  #newEvent(order: EmulatedOrder, content: unknown): CallbackEvent {
    const { out_trade_no: outTradeNo, notify_url: url, mchid } = order.body
    return this.#event({ outTradeNo, url, content, mchid })
  }

  #event(input: {
    readonly outTradeNo: string
    readonly url: string
    readonly content: unknown
    readonly mchid: string | undefined
  }): CallbackEvent {
    const { merchants, now } = this.settings
    const merchant = merchants.find(({ mchid }) => mchid === input.mchid) ?? merchants[0]
    if (merchant === undefined) throw new Error('expected at least one merchant, got none')
    const { content, outTradeNo, url } = input
    return {
      eventId: crypto.randomUUID(),
      outTradeNo,
      url,
      eventType: 'TRANSACTION.SUCCESS',
      plaintext: typeof content === 'string' ? content : JSON.stringify(content),
      apiV3Key: merchant.apiV3Key,
      createdAt: now(),
    }
  }
}

/** Adds to the total of an order object; 0 leaves it as it is. */
function shiftAmount(content: Record<string, unknown>, delta: number): Record<string, unknown> {
  const { amount } = content
  if (delta === 0 || typeof amount !== 'object' || amount === null) return content
  if (!('total' in amount) || typeof amount.total !== 'number') return content
  const total = amount.total + delta
  return { ...content, amount: { ...amount, total, payer_total: total } }
}
