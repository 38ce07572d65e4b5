import { z } from 'zod'

import type { Campaign } from '../core/delivery-desk.ts'
import type { Delivery } from '../core/delivery-log.ts'
import type { EmulatorOptions } from '../core/emulator.ts'
import { EmulatorCore } from '../core/emulator.ts'
import { FaultPanel } from '../core/knobs.ts'
import { BillDesk } from './bill-desk.ts'
import type { EmulatedMerchant } from './authorization.ts'
import type { WechatPayEvent } from './courier.ts'
import { WechatPayCourier } from './courier.ts'
import type { Forgery } from './forge.ts'
import { forgeParcel } from './forge.ts'
import type { VendorKeys } from './keys.ts'
import type { Knobs } from './knobs.ts'
import { knobsSchema } from './knobs.ts'
import type { EmulatedOrder } from './order.ts'
import { claimSuccess, orderObject } from './order.ts'
import type { PayMove, PayOptions } from './order-book.ts'
import { OrderBook } from './order-book.ts'
import type { RefundStatus } from './refund.ts'
import { RefundBook, refundNotice } from './refund.ts'
import type { SerialMode } from './vendor-signature.ts'

export interface VendorSettings {
  readonly merchants: readonly EmulatedMerchant[]
  readonly keys: VendorKeys
  readonly rogueKeyPem: string
  readonly options: EmulatorOptions
}

/** The vendor's schedule in seconds (dossier 4.5). */
export const RETRY_SCHEDULE_SECONDS = [
  15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600,
] as const

const ANSWER_WITHIN_MS = 5_000

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
  readonly panel = new FaultPanel(knobsSchema)
  readonly core: EmulatorCore<Knobs, WechatPayEvent>
  readonly book: OrderBook
  readonly refunds: RefundBook
  readonly bills: BillDesk
  readonly now: () => Date
  readonly #courier: WechatPayCourier

  constructor(settings: VendorSettings) {
    this.settings = settings
    const { panel } = this
    this.now = settings.options.clock ?? (() => new Date())
    this.book = new OrderBook(this.now)
    this.refunds = new RefundBook(this.book, this.now)
    this.bills = new BillDesk({
      books: () => ({ orders: this.book.list(), refunds: this.refunds.list() }),
      panel,
      now: this.now,
    })
    this.#courier = new WechatPayCourier({ ...settings, panel, now: this.now })
    this.core = new EmulatorCore({
      options: settings.options,
      panel,
      courier: this.#courier,
      retrySeconds: RETRY_SCHEDULE_SECONDS,
      answerWithinMs: ANSWER_WITHIN_MS,
    })
  }

  /** The buyer pays; the callback starts on its way and the caller need not wait for it. */
  pay(outTradeNo: string, options: PayOptions = {}): PayResult {
    const move = this.book.pay(outTradeNo, options)
    if (move.kind === 'refused') return move
    const { order } = move
    const content = shiftAmount(orderObject(order), this.panel.takeWrongAmount())
    const event = this.#newEvent(order, content)
    const campaign = this.core.desk.start(event)
    const transactionId = order.payment?.transactionId ?? ''
    return { kind: 'paid', eventId: event.eventId, transactionId, ...campaign }
  }

  /** A refund that was just accepted ends as the panel says, with its notice; PROCESSING waits. */
  settleRefund(answer: string): void {
    const { out_refund_no: number } = z
      .object({ out_refund_no: z.string() })
      .parse(JSON.parse(answer))
    const { refundResult } = this.panel.get()
    const isNew = this.refunds.find(number)?.status === 'PROCESSING'
    if (isNew && refundResult !== 'PROCESSING') this.finishRefund(number, refundResult)
  }

  /** A refund that somebody makes at the vendor's own console: done at once, and told to nobody. */
  refundAtConsole(outTradeNo: string, outRefundNo: string, amount: number): boolean {
    const order = this.book.findAny(outTradeNo)
    if (order?.payment === undefined) return false
    const body = { out_refund_no: outRefundNo }
    this.refunds.finish(this.refunds.add(order, body, amount), 'SUCCESS')
    return true
  }

  /** Ends a refund and sends its notice. `undefined`: there is no such refund. */
  finishRefund(outRefundNo: string, status: RefundStatus): Campaign | undefined {
    const refund = this.refunds.find(outRefundNo)
    if (refund === undefined) return undefined
    const moved = this.refunds.finish(refund, status)
    const { outTradeNo, notifyUrl: url, mchid } = moved
    // Without an address there is none to tell (dossier 5.6).
    if (url === undefined) return undefined
    const event = this.#event({ outTradeNo, url, content: refundNotice(moved), mchid })
    return this.core.desk.start({ ...event, eventType: `REFUND.${status}` })
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
    const { forgery, serialMode = 'public' } = request
    const { rogueKeyPem } = this.settings
    const parcel = forgeParcel(this.#courier, event, { forgery, serialMode, rogueKeyPem })
    return this.core.desk.send(event, parcel)
  }

  /** Sends a genuine callback once. */
  sendCallback(request: CallbackRequest): Promise<Delivery> {
    const { url, plaintext: content, mchid, outTradeNo = '' } = request
    const event = this.#event({ outTradeNo, url, content, mchid })
    const named: WechatPayEvent = {
      ...event,
      ...(request.eventId !== undefined && { eventId: request.eventId }),
      ...(request.eventType !== undefined && { eventType: request.eventType }),
    }
    const serialMode = request.serialMode ?? 'public'
    const parcel = this.#courier.parcel(named, { style: { kind: 'genuine' }, serialMode })
    return this.core.desk.send(named, parcel)
  }

  #claim(order: EmulatedOrder, amount: number | undefined): Record<string, unknown> {
    const { total } = order.body.amount
    const claim = orderObject(claimSuccess(order, this.now()))
    return shiftAmount(claim, (amount ?? total) - total)
  }

  #newEvent(order: EmulatedOrder, content: unknown): WechatPayEvent {
    const { out_trade_no: outTradeNo, notify_url: url, mchid } = order.body
    return this.#event({ outTradeNo, url, content, mchid })
  }

  #event(input: {
    readonly outTradeNo: string
    readonly url: string
    readonly content: unknown
    readonly mchid: string | undefined
  }): WechatPayEvent {
    const { merchants } = this.settings
    const merchant = merchants.find(({ mchid }) => mchid === input.mchid) ?? merchants[0]
    if (merchant === undefined) throw new Error('expected at least one merchant, got none')
    const { content, outTradeNo, url } = input
    return {
      eventId: crypto.randomUUID(),
      orderNumber: outTradeNo,
      url,
      eventType: 'TRANSACTION.SUCCESS',
      plaintext: typeof content === 'string' ? content : JSON.stringify(content),
      apiV3Key: merchant.apiV3Key,
      createdAt: this.now(),
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
