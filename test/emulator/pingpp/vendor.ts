import type { Delivery } from '../core/delivery-log.ts'
import type { EmulatorOptions } from '../core/emulator.ts'
import { EmulatorCore } from '../core/emulator.ts'
import { FaultPanel } from '../core/knobs.ts'
import type { EmulatedAccount } from './authorization.ts'
import { DayLists } from './bill.ts'
import type { EmulatedCharge } from './charge.ts'
import { chargeObject } from './charge.ts'
import { ChargeBook } from './charge-book.ts'
import type { ChargeBody } from './charge-body.ts'
import { RULES } from './channel-rule.ts'
import type { PingppDelivery } from './courier.ts'
import { PingppCourier } from './courier.ts'
import { newCredential } from './credential.ts'
import { Errands } from './errands.ts'
import type { Emission, EventNews } from './event-desk.ts'
import { EventDesk } from './event-desk.ts'
import { newChargeId, newRequestId, newToken, newTransactionNumber } from './id.ts'
import { Keyring } from './keys.ts'
import type { VendorKeys } from './keys.ts'
import type { Knobs } from './knobs.ts'
import { knobsSchema } from './knobs.ts'
import { RefundDesk } from './refund-desk.ts'

export interface VendorSettings {
  readonly accounts: readonly EmulatedAccount[]
  readonly keys: VendorKeys
  readonly rogueKeyPem: string
  /** Signs the credentials. */
  readonly channelKeyPem: string
  readonly options: EmulatorOptions
}

export interface PayOptions {
  /** Live, or test if there is no such live payment, unless given. */
  readonly livemode?: boolean
  /** Only needed when two apps use the same number. */
  readonly app?: string
  /** The channel took the money in time, and Ping++ hears of it after `time_expire`. */
  readonly isLate?: boolean
}

export type PayResult =
  | ({ readonly kind: 'paid'; readonly transactionNumber: string } & Emission)
  | {
      readonly kind: 'refused'
      readonly reason: 'missing' | 'altered' | 'paid' | 'closed' | 'expired'
    }

/** Ping++'s gaps before the re-sends, in seconds (dossier 4.2). */
export const RETRY_SCHEDULE_SECONDS = [
  5, 10, 120, 300, 600, 1800, 3600, 7200, 21_600, 54_000,
] as const

/** Nobody knows Ping++'s own patience (dossier 4.2). */
const ANSWER_WITHIN_MS = 10_000
const TEST_DELAY_SECONDS = 300
const TIME_SCALE = 0.001

/** Ping++'s business: its books, its events, its fault panel. No HTTP server. */
export class PingppVendor {
  readonly settings: VendorSettings
  readonly panel = new FaultPanel(knobsSchema)
  readonly core: EmulatorCore<Knobs, PingppDelivery>
  readonly book = new ChargeBook()
  readonly dayLists = new DayLists(this.panel)
  readonly errands = new Errands()
  readonly keyring: Keyring
  readonly courier: PingppCourier
  readonly events: EventDesk
  readonly refunds: RefundDesk
  readonly now: () => Date
  /** Where the buyer's pages stand; known when the door is open. */
  baseUrl = ''

  constructor(settings: VendorSettings) {
    this.settings = settings
    const { panel } = this
    const { options, keys, rogueKeyPem } = settings
    this.now = options.clock ?? (() => new Date())
    this.keyring = new Keyring(keys)
    this.courier = new PingppCourier({ keyring: this.keyring, rogueKeyPem, panel })
    this.core = new EmulatorCore({
      options,
      panel,
      courier: this.courier,
      retrySeconds: RETRY_SCHEDULE_SECONDS,
      answerWithinMs: ANSWER_WITHIN_MS,
    })
    const { desk } = this.core
    this.events = new EventDesk({ desk, courier: this.courier, now: this.now })
    this.refunds = new RefundDesk(this)
  }

  nowSeconds(): number {
    return Math.floor(this.now().getTime() / 1000)
  }

  /** Writes a checked body into the books. */
  create(body: ChargeBody, livemode: boolean): EmulatedCharge {
    const now = this.now()
    const created = this.nowSeconds()
    const { channelKeyPem } = this.settings
    const base = {
      id: newChargeId(now),
      livemode,
      body,
      created,
      timeExpire: body.time_expire ?? created + RULES[body.channel].expiry.usual,
      requestId: newRequestId(),
      token: newToken(now),
      isReversed: false,
    }
    const credential = newCredential({
      ...base,
      chargeId: base.id,
      now,
      baseUrl: this.baseUrl,
      channelKeyPem,
      isOldAlipay: this.panel.get().oldAlipay,
    })
    const charge: EmulatedCharge = { ...base, credential }
    this.book.add(charge)
    return charge
  }

  /** By the merchant's number. Live before test, and the first app if two use it. */
  findByNumber(orderNumber: string, options: PayOptions = {}): EmulatedCharge | undefined {
    const modes = options.livemode === undefined ? [true, false] : [options.livemode]
    const apps = options.app === undefined ? this.#apps() : [options.app]
    for (const livemode of modes) {
      const charges = apps.map((app) => this.book.findByNumber(orderNumber, { app, livemode }))
      const found = charges.find((charge) => charge !== undefined)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** The buyer pays; the event starts on its way and the caller need not wait for it. */
  pay(charge: EmulatedCharge | undefined, { isLate = false }: PayOptions = {}): PayResult {
    const refused = this.#refusal(charge, isLate)
    if (charge === undefined || refused !== undefined) {
      return { kind: 'refused', reason: refused ?? 'missing' }
    }
    const transactionNumber = newTransactionNumber(this.now())
    const timePaid = isLate ? charge.timeExpire : this.nowSeconds()
    const paid = this.book.replace({ ...charge, payment: { timePaid, transactionNumber } })
    return { kind: 'paid', transactionNumber, ...this.#tellPaid(paid) }
  }

  /** The unpaid one is closed at the channel, the paid one's money goes back (dossier 2.6). */
  reverse(charge: EmulatedCharge): EmulatedCharge {
    return this.book.replace({ ...charge, isReversed: true })
  }

  /** Tells the merchant about a charge or a refund as it stands now. */
  emit(charge: EmulatedCharge, news: Pick<EventNews, 'type' | 'object' | 'requestId'>): Emission {
    const { body, livemode } = charge
    return this.events.emit({ ...news, app: body.app.id, livemode, orderNumber: body.order_no })
  }

  /** Sends one text once, signed with the key of today, whatever the panel says. */
  sendText(delivery: PingppDelivery): Promise<Delivery> {
    return this.core.desk.send(delivery, this.courier.pack(delivery, 'genuine'))
  }

  async idle(): Promise<void> {
    await this.errands.idle()
    await this.core.desk.idle()
  }

  #apps(): readonly string[] {
    return this.settings.accounts.flatMap(({ apps }) => apps)
  }

  #refusal(
    charge: EmulatedCharge | undefined,
    isLate: boolean,
  ): Extract<PayResult, { kind: 'refused' }>['reason'] | undefined {
    if (charge === undefined) return 'missing'
    if (charge.payment !== undefined) return 'paid'
    if (charge.isReversed) return 'closed'
    return !isLate && this.nowSeconds() >= charge.timeExpire ? 'expired' : undefined
  }

  /** With the duplicate and the delay that test mode can be asked for in the metadata (dossier 7). */
  #tellPaid(charge: EmulatedCharge): Emission {
    const { requestId, livemode, body } = charge
    const content = chargeObject(charge, this.book.refundsOf(charge.id))
    const object = { ...content, amount: body.amount + this.panel.takeWrongAmount() }
    const wish = livemode ? undefined : body.metadata['pingpp_tc']
    const emit = (): Emission => this.emit(charge, { type: 'charge.succeeded', object, requestId })
    if (wish === '002') return this.#later(emit)
    const emission = emit()
    if (wish !== '001') return emission
    const again = this.core.desk.resend(body.order_no)
    return again === undefined ? emission : { ...again, eventId: emission.eventId }
  }

  /** Five minutes of the emulator's time later. The event has no id before it is made. */
  #later(emit: () => Emission): Emission {
    const first = Promise.withResolvers<void>()
    const done = Promise.withResolvers<void>()
    const scale = (this.settings.options.timeScale ?? TIME_SCALE) * 1000
    this.errands.after(TEST_DELAY_SECONDS * scale, () => {
      const emission = emit()
      void emission.first.then(first.resolve)
      void emission.done.then(done.resolve)
    })
    return { eventId: '', first: first.promise, done: done.promise }
  }
}
