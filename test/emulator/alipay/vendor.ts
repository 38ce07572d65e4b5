import type { Campaign } from '../core/delivery-desk.ts'
import type { Delivery } from '../core/delivery-log.ts'
import type { EmulatorOptions } from '../core/emulator.ts'
import { EmulatorCore } from '../core/emulator.ts'
import { FaultPanel } from '../core/knobs.ts'
import { newRsaPair } from '../core/rsa.ts'
import { BillDesk } from './bill-desk.ts'
import type { SpeakingKey } from './courier.ts'
import { AlipayCourier } from './courier.ts'
import type { Forgery } from './forge.ts'
import { forgeParcel } from './forge.ts'
import type { EmulatedApp, GatewayRules } from './gateway-call.ts'
import type { AlipayVendorKeys, NumberedCertificate, RotationWish } from './keys.ts'
import { newPlatformCertificate } from './keys.ts'
import type { Knobs } from './knobs.ts'
import { knobsSchema } from './knobs.ts'
import type { AlipayEvent, NoticeField } from './notice.ts'
import { RETRY_SECONDS, newEvent, noticeFields, refundFields, replaceFields } from './notice.ts'
import { returnAddress } from './return-address.ts'
import type { Offer, Refund, Trade } from './trade.ts'
import { BUYER, claimPaid, newTrade, refundedFen } from './trade.ts'
import type { PayOptions, TradeMove } from './trade-book.ts'
import { TradeBook } from './trade-book.ts'

export interface VendorSettings {
  readonly apps: readonly EmulatedApp[]
  readonly keys: AlipayVendorKeys
  readonly rogueKeyPem: string
  readonly clockSkewMsMax: number
  readonly options: EmulatorOptions
}

export type PayResult =
  | ({ readonly kind: 'paid'; readonly eventId: string; readonly tradeNo: string } & Campaign)
  | Extract<TradeMove, { kind: 'refused' }>

/** A genuine or forged notice about an order, paid or not. */
export interface NoticeRequest {
  readonly outTradeNo: string
  /** Replaces fields of the paid order's notice, and adds others. */
  readonly changes?: Readonly<Record<string, string>>
  /** The order's notify_url unless given. */
  readonly url?: string
}

export interface ForgeRequest extends NoticeRequest {
  readonly forgery: Forgery
}

/** The vendor's patience is not documented. */
const ANSWER_WITHIN_MS = 5_000

const SILENT: Campaign = { first: Promise.resolve(), done: Promise.resolve() }

/** The vendor's business: its books, its notices, its keys, its fault panel. No HTTP server. */
export class AlipayVendor {
  readonly settings: VendorSettings
  readonly panel = new FaultPanel(knobsSchema)
  readonly core: EmulatorCore<Knobs, AlipayEvent>
  readonly book: TradeBook
  readonly bills: BillDesk
  readonly now: () => Date
  readonly #courier: AlipayCourier
  #keys: AlipayVendorKeys
  #certificates: readonly NumberedCertificate[]

  constructor(settings: VendorSettings) {
    this.settings = settings
    this.now = settings.options.clock ?? (() => new Date())
    this.book = new TradeBook(this.now)
    const trades = (): readonly Trade[] => this.book.list()
    this.bills = new BillDesk({ trades, panel: this.panel, now: this.now })
    this.#keys = settings.keys
    this.#certificates = [settings.keys.certificate]
    const { panel, now } = this
    const keyFor = (app: EmulatedApp): SpeakingKey => this.keyFor(app)
    const { rogueKeyPem, options } = settings
    this.#courier = new AlipayCourier({ panel, now, rogueKeyPem, keyFor })
    this.core = new EmulatorCore({
      options,
      panel,
      courier: this.#courier,
      retrySeconds: RETRY_SECONDS,
      answerWithinMs: ANSWER_WITHIN_MS,
    })
  }

  /** The keys at present. */
  get keys(): AlipayVendorKeys {
    return this.#keys
  }

  /** Every platform certificate there ever was, for the download. */
  get certificates(): readonly NumberedCertificate[] {
    return this.#certificates
  }

  keyFor(app: EmulatedApp): SpeakingKey {
    const { certificate, privateKeyPem } = this.#keys
    return app.certificate === undefined
      ? { privatePem: privateKeyPem, certificateNumber: undefined }
      : { privatePem: certificate.privatePem, certificateNumber: certificate.number }
  }

  rules(methods: ReadonlySet<string>): GatewayRules {
    const { apps, clockSkewMsMax } = this.settings
    return { apps, methods, now: this.now(), clockSkewMsMax }
  }

  /** From now on another key pair signs for the apps of the public-key mode. */
  async rotateKey(): Promise<AlipayVendorKeys> {
    const { publicPem, privatePem } = await newRsaPair()
    this.#keys = { ...this.#keys, publicKeyPem: publicPem, privateKeyPem: privatePem }
    return this.#keys
  }

  /** From now on another certificate signs for the apps of the certificate mode. */
  async rotateCertificate(wish: RotationWish = {}): Promise<AlipayVendorKeys> {
    const certificate = await newPlatformCertificate(this.#keys.authority, wish)
    this.#keys = { ...this.#keys, certificate }
    this.#certificates = [...this.#certificates, certificate]
    return this.#keys
  }

  /** The buyer as this app sees him. */
  buyerOf(offer: Offer): Readonly<Record<string, string>> {
    const app = this.#appOf(offer)
    if (app.usesUserId === true) return { buyer_id: offer.buyerUserId ?? BUYER.userId }
    return { buyer_open_id: offer.buyerOpenId ?? BUYER.openId }
  }

  /** The buyer comes to the cashier or scans the code, and does not pay yet. */
  enter(outTradeNo: string): TradeMove {
    const move = this.book.enter(outTradeNo)
    const isTold = move.kind === 'moved' && move.isNew === true && this.panel.get().noticeOfWaiting
    if (isTold) this.#tell(move.trade, [])
    return move
  }

  /** The buyer pays; the notice starts on its way and the caller need not wait for it. */
  pay(outTradeNo: string, options: PayOptions = {}): PayResult {
    const move = this.book.pay(outTradeNo, options)
    if (move.kind === 'refused') return move
    const { trade } = move
    const shiftFen = this.panel.takeWrongAmount()
    const event = this.#event(trade, { fields: this.#fields(trade, shiftFen) })
    const campaign = event === undefined ? SILENT : this.core.desk.start(event)
    return { kind: 'paid', eventId: event?.eventId ?? '', tradeNo: trade.tradeNo, ...campaign }
  }

  /** Closes what nobody paid. */
  close(trade: Trade, notifyUrl?: string): Trade {
    const closed = this.book.close(trade)
    if (this.panel.get().noticeOfClose) this.#tell(closed, [], notifyUrl)
    return closed
  }

  /** Nobody pays in time. `undefined`: there is no unpaid trade. */
  expire(outTradeNo: string): Trade | undefined {
    const trade = this.book.find(outTradeNo)
    return trade?.state === 'WAIT_BUYER_PAY' ? this.close(trade) : undefined
  }

  /** The refund window ends: nothing can be returned any more. `undefined`: there is no paid order. */
  finish(outTradeNo: string): Campaign | undefined {
    const trade = this.book.find(outTradeNo)
    if (trade?.state !== 'TRADE_SUCCESS') return undefined
    return this.#tell(this.book.finish(trade), [])
  }

  refund(trade: Trade, wish: Omit<Refund, 'at'>): Trade {
    const refunded = this.book.refund(trade, wish)
    const refund = refunded.refunds.at(-1)
    if (refund !== undefined && this.panel.get().noticeOfRefund) {
      this.#tell(refunded, refundFields(refunded, refund))
    }
    return refunded
  }

  /** Returns everything that is left, as a cancel does. */
  refundRest(trade: Trade): Trade {
    const fen = trade.offer.totalFen - refundedFen(trade)
    return this.refund(trade, { outRequestNo: `cancel${trade.tradeNo}`, fen })
  }

  /** Where a paid order's browser goes back to. `undefined`: nowhere. */
  returnAddress(outTradeNo: string): string | undefined {
    const trade = this.book.find(outTradeNo)
    if (trade?.payment === undefined) return undefined
    return returnAddress(trade, this.keyFor(this.#appOf(trade.offer)).privatePem, this.now())
  }

  /** `undefined`: no such order, or no address. */
  forge(request: ForgeRequest): Promise<Delivery> | undefined {
    const event = this.#claim(request)
    if (event === undefined) return undefined
    const { rogueKeyPem } = this.settings
    const parcel = forgeParcel(this.#courier, event, { forgery: request.forgery, rogueKeyPem })
    return this.core.desk.send(event, parcel)
  }

  /** Sends a genuine notice once, whatever it claims. `undefined`: no such order, or no address. */
  sendNotice(request: NoticeRequest): Promise<Delivery> | undefined {
    const event = this.#claim(request)
    if (event === undefined) return undefined
    return this.core.desk.send(event, this.#courier.pack(event, 'genuine'))
  }

  /** The notice of an order as if it were paid. */
  #claim({ outTradeNo, changes = {}, url }: NoticeRequest): AlipayEvent | undefined {
    const offer = this.book.findOffer(outTradeNo)
    if (offer === undefined) return undefined
    const trade = claimPaid(this.book.find(outTradeNo) ?? newTrade(offer, this.now()), this.now())
    const fields = replaceFields(this.#fields(trade), Object.entries(changes))
    return this.#event(trade, { fields, ...(url !== undefined && { url }) })
  }

  #tell(trade: Trade, more: readonly NoticeField[], url?: string): Campaign {
    const fields = [...this.#fields(trade), ...more]
    const event = this.#event(trade, { fields, ...(url !== undefined && { url }) })
    return event === undefined ? SILENT : this.core.desk.start(event)
  }

  #fields(trade: Trade, shiftFen = 0): readonly NoticeField[] {
    return noticeFields(trade, { buyer: Object.entries(this.buyerOf(trade.offer)), shiftFen })
  }

  #event(
    trade: Trade,
    { fields, url }: { readonly fields: readonly NoticeField[]; readonly url?: string },
  ): AlipayEvent | undefined {
    const app = this.#appOf(trade.offer)
    return newEvent({ trade, app, url: url ?? trade.offer.notifyUrl, fields, now: this.now() })
  }

  #appOf({ appId }: Offer): EmulatedApp {
    const app = this.settings.apps.find((known) => known.appId === appId)
    if (app === undefined) throw new Error(`expected a known app, got ${appId}`)
    return app
  }
}
