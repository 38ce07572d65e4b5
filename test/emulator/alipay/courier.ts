import { formatChinaDateTime } from '../core/china-time.ts'
import type { CallbackAnswer, Courier, Parcel } from '../core/courier.ts'
import type { FaultPanel } from '../core/knobs.ts'
import type { Knobs } from './knobs.ts'
import { encodeForm } from './form.ts'
import type { EmulatedApp } from './gateway-call.ts'
import type { AlipayEvent, NoticeField } from './notice.ts'
import type { SignType } from './signature.ts'
import { noticeText, signText } from './signature.ts'

/** The key that speaks to an app at present, and how the merchant knows it. */
export interface SpeakingKey {
  readonly privatePem: string
  /** The certificate's number; `undefined` in public-key mode. */
  readonly certificateNumber: string | undefined
}

export interface CourierSettings {
  readonly panel: FaultPanel<Knobs>
  readonly now: () => Date
  readonly rogueKeyPem: string
  readonly keyFor: (app: EmulatedApp) => SpeakingKey
}

/** How a forgery departs from the rule. */
export interface SealStyle {
  readonly privatePem?: string
  readonly signType?: SignType
}

/** Signs notices by the v1 rule; the seven letters `success` acknowledge them (dossier 4.2, 4.5). */
export class AlipayCourier implements Courier<AlipayEvent> {
  readonly #settings: CourierSettings

  constructor(settings: CourierSettings) {
    this.#settings = settings
  }

  pack(event: AlipayEvent, style: 'genuine' | 'wrong_key'): Parcel {
    if (style === 'genuine') return this.parcel(event, this.seal(event))
    const { rogueKeyPem: privatePem } = this.#settings
    return { ...this.parcel(event, this.seal(event, { privatePem })), kind: 'forged' }
  }

  isAcknowledged({ status, body }: CallbackAnswer): boolean {
    return status === 200 && body === 'success'
  }

  /** All fields of one send, signed now. */
  seal(event: AlipayEvent, { privatePem, signType = 'RSA2' }: SealStyle = {}): NoticeField[] {
    const { now, keyFor, panel } = this.#settings
    const key = keyFor(event.app)
    const { emptyNoticeField, noticeCertificate } = panel.get()
    const number = key.certificateNumber
    const certificate: NoticeField[] = number === undefined ? [] : [['alipay_cert_sn', number]]
    const signed: NoticeField[] = [
      ['notify_time', formatChinaDateTime(now())],
      ...event.fields,
      ...(emptyNoticeField === 'signed' ? [EMPTY] : []),
      ...(noticeCertificate === 'signed' ? certificate : []),
    ]
    const way = { charset: event.charset, signType }
    const sign = signText(privatePem ?? key.privatePem, noticeText(new Map(signed)), way)
    return [
      ...signed,
      ...(emptyNoticeField === 'unsigned' ? [EMPTY] : []),
      ...(noticeCertificate === 'unsigned' ? certificate : []),
      ['sign_type', signType],
      ['sign', sign],
    ]
  }

  parcel(event: AlipayEvent, fields: readonly NoticeField[]): Parcel {
    const charset = new Map(event.fields).get('charset') ?? event.charset
    return {
      headers: { 'Content-Type': `application/x-www-form-urlencoded; charset=${charset}` },
      body: encodeForm(fields, event.charset),
      kind: 'genuine',
      keySerial: this.#settings.keyFor(event.app).certificateNumber ?? 'public',
    }
  }
}

const EMPTY: NoticeField = ['extra', '']
