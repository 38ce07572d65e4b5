import type { Campaign } from '../core/delivery-desk.ts'
import type { Delivery } from '../core/delivery-log.ts'
import type { EmulatorOptions } from '../core/emulator.ts'
import { EmulatorCore } from '../core/emulator.ts'
import { FaultPanel } from '../core/knobs.ts'
import { BillDesk } from './bill-desk.ts'
import type { Charset } from './charset.ts'
import { isMoneyGone, isSuccess } from './code.ts'
import type { UnionpayEvent } from './courier.ts'
import { UnionpayCourier } from './courier.ts'
import type { Forgery } from './forge.ts'
import { forgeParcel } from './forge.ts'
import type { VendorKeys } from './keys.ts'
import { certIdOf, makeSigningKey } from './keys.ts'
import type { Knobs } from './knobs.ts'
import { knobsSchema } from './knobs.ts'
import type { Fields } from './message.ts'
import type { Attempt, EmulatedOrder, Transaction } from './order.ts'
import { callbackFields, isFinal, newAttempt } from './order.ts'
import type { PayMove, PayOptions } from './order-book.ts'
import { OrderBook } from './order-book.ts'
import type { EmulatedMerchant } from './request.ts'
import type { SealStyle } from './seal.ts'
import { Seal } from './seal.ts'
import { signAppResult } from './signature.ts'

export interface VendorSettings {
  readonly merchants: readonly EmulatedMerchant[]
  readonly keys: VendorKeys
  readonly rogueKeyPem: string
  readonly options: EmulatorOptions
}

/** Seconds before the four re-sends, by the two versions of the sources (dossier 3.2). */
export const RETRY_SCHEDULE_SECONDS = {
  early: [0, 60, 120, 240],
  late: [60, 120, 240, 300],
} as const

const ANSWER_WITHIN_MS = 10_000

export interface BuyerOptions extends PayOptions {
  /** Whether the merchant is called; by the vendor's own rule unless given (dossier 3.2). */
  readonly callback?: boolean
}

export type PayResult =
  | ({
      readonly kind: 'moved'
      readonly code: string
      readonly queryId: string
      /** `undefined`: the vendor does not call for this. */
      readonly eventId: string | undefined
    } & Campaign)
  | Extract<PayMove, { kind: 'refused' }>

/** A form that a browser posts. */
export interface PostForm {
  readonly action: string
  readonly fields: Fields
}

/** A forged callback: an order's success, or any fields to any address. */
export interface ForgeRequest {
  readonly forgery: Forgery
  readonly orderNumber: string
  /** The order's `backUrl` unless given. */
  readonly url?: string
  readonly merId?: string
  /** Added to or put instead of the order's own fields, before the signature. */
  readonly fields?: Fields
}

/** A genuine callback with whatever fields. */
export interface CallbackRequest {
  readonly url: string
  readonly fields: Fields
  readonly charset?: Charset
}

const NOTHING_SENT: Campaign = { first: Promise.resolve(), done: Promise.resolve() }

/** The vendor's business: its books, its callbacks, its fault panel. No HTTP server. */
export class UnionpayVendor {
  readonly settings: VendorSettings
  readonly panel = new FaultPanel(knobsSchema)
  readonly core: EmulatorCore<Knobs, UnionpayEvent>
  readonly book: OrderBook
  readonly seal: Seal
  readonly bills: BillDesk
  readonly now: () => Date
  readonly #courier: UnionpayCourier

  constructor(settings: VendorSettings) {
    this.settings = settings
    const { panel } = this
    this.now = settings.options.clock ?? (() => new Date())
    this.book = new OrderBook(this.now)
    this.seal = new Seal(settings.keys, settings.rogueKeyPem)
    this.bills = new BillDesk({ books: () => this.book.list(), panel, now: this.now })
    this.#courier = new UnionpayCourier(this.seal, panel)
    this.core = new EmulatorCore({
      options: settings.options,
      panel,
      courier: this.#courier,
      retrySeconds: RETRY_SCHEDULE_SECONDS.late,
      answerWithinMs: ANSWER_WITHIN_MS,
    })
  }

  /** The buyer pays. By order number, `tn` or the text of the QR code. */
  pay(target: string, options: BuyerOptions = {}): PayResult {
    return this.#act(target, options)
  }

  /** The buyer is at it: queries say `05`, or whatever code of uncertainty. */
  begin(target: string, options: BuyerOptions = {}): PayResult {
    return this.#act(target, { code: '05', ...options })
  }

  /** The bank refuses; the buyer may try again until the deadline. */
  fail(target: string, options: BuyerOptions = {}): PayResult {
    return this.#act(target, { code: '60', ...options })
  }

  /** Ends a refund or a void that is held. `undefined`: none is under way under that number. */
  finishRefund(orderId: string, code = '00', merId?: string): Campaign | undefined {
    const refund = this.book.findRefund(orderId, merId)
    const done = refund && this.book.finish(refund, code)
    if (done === undefined || !isFinal(done.attempt)) return undefined
    return this.core.desk.start(this.#newEvent(done, done.attempt))
  }

  /** What the browser brings to the merchant. `undefined`: nothing to return with, or no front order. */
  returnForm(target: string, merId?: string): PostForm | undefined {
    const order = this.book.findOrder(target, merId)
    if (order?.attempt === undefined || !isFinal(order.attempt)) return undefined
    const { frontUrl, frontFailUrl } = order.message.fields
    if (frontUrl === undefined) return undefined
    const action = isSuccess(order.attempt.code) ? frontUrl : (frontFailUrl ?? frontUrl)
    return {
      action,
      fields: this.seal.sign(callbackFields(order, order.attempt), this.#returnStyle()),
    }
  }

  /** What the SDK on the phone hands to the app after a payment (dossier 2.2). */
  appResult(tn: string): { readonly sign: string; readonly data: string } | undefined {
    const order = this.book.findOrder(tn)
    if (order?.product !== 'app' || order.attempt === undefined) return undefined
    const result = isSuccess(order.attempt.code) ? 'success' : 'fail'
    const { certificatePem, privatePem } = this.seal.current
    const certId = certIdOf(certificatePem)
    const data = `pay_result=${result}&tn=${order.credential}&cert_id=${certId}`
    return { sign: signAppResult(data, privatePem), data }
  }

  /** From now on the vendor signs with a new key; the old certificate stays valid. */
  async rotateSigningCertificate(): Promise<string> {
    const key = await makeSigningKey(this.settings.keys, this.now())
    this.seal.rotate(key)
    return key.certificatePem
  }

  /** `undefined`: no such order, and the request does not say enough without one. */
  forge(request: ForgeRequest): Promise<Delivery> | undefined {
    const { orderNumber, merId, forgery } = request
    const order = this.book.findOrder(orderNumber, merId)
    const url = request.url ?? order?.message.fields['backUrl']
    const fields = { ...(order && this.#claim(order)), ...request.fields }
    if (url === undefined || Object.keys(fields).length === 0) return undefined
    const charset = order?.message.charset ?? 'UTF-8'
    const event = { eventId: crypto.randomUUID(), orderNumber, url, fields, charset }
    const parcel = forgeParcel({ seal: this.seal, courier: this.#courier }, event, forgery)
    return this.core.desk.send(event, parcel)
  }

  /** Sends a genuine callback once. */
  sendCallback({ url, fields, charset = 'UTF-8' }: CallbackRequest): Promise<Delivery> {
    const orderNumber = fields['orderId'] ?? ''
    const event = { eventId: crypto.randomUUID(), orderNumber, url, fields, charset }
    return this.core.desk.send(event, this.#courier.parcel(event, { kind: 'genuine' }))
  }

  /** A callback as it would be if the order were paid; the books do not change. */
  #claim(order: EmulatedOrder): Fields {
    const amount = BigInt(order.message.fields['txnAmt'] ?? '1')
    return callbackFields(order, order.attempt ?? newAttempt('00', amount, this.now()))
  }

  #act(target: string, { callback, ...options }: BuyerOptions): PayResult {
    const move = this.book.move(target, options)
    if (move.kind === 'refused') return move
    const { order, attempt } = move
    const { code, queryId } = attempt
    if (!(callback ?? isTold(order, attempt))) {
      return { kind: 'moved', code, queryId, eventId: undefined, ...NOTHING_SENT }
    }
    const event = this.#newEvent(order, attempt)
    return { kind: 'moved', code, queryId, eventId: event.eventId, ...this.core.desk.start(event) }
  }

  #newEvent(transaction: Transaction, attempt: Attempt): UnionpayEvent {
    const { fields, charset } = transaction.message
    const amountDelta = BigInt(this.panel.takeWrongAmount())
    return {
      eventId: crypto.randomUUID(),
      orderNumber: fields['orderId'] ?? '',
      url: fields['backUrl'] ?? '',
      fields: callbackFields(transaction, attempt, { amountDelta }),
      charset,
      retrySeconds: RETRY_SCHEDULE_SECONDS[this.panel.get().callbackGaps],
    }
  }

  #returnStyle(): SealStyle {
    if (this.panel.take('badlySignedReturns')) {
      return { kind: 'rogue_key', privatePem: this.settings.rogueKeyPem }
    }
    const { callbackCertificate: certificate } = this.panel.get()
    return certificate === 'genuine' ? { kind: 'genuine' } : { kind: 'certificate', certificate }
  }
}

/** Front products call for a success only, a QR order, which came in at the back, for a failure too (dossier 3.2). */
function isTold({ product }: EmulatedOrder, attempt: Attempt): boolean {
  if (isSuccess(attempt.code)) return true
  return product === 'qr' && isFinal(attempt) && !isMoneyGone(attempt.code)
}
