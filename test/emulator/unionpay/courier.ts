import type { CallbackAnswer, CallbackEvent, Courier, Parcel } from '../core/courier.ts'
import type { FaultPanel } from '../core/knobs.ts'
import type { Charset } from './charset.ts'
import type { Knobs } from './knobs.ts'
import type { Fields } from './message.ts'
import { writeFields } from './message.ts'
import type { Seal, SealStyle } from './seal.ts'

/** A callback's content before it is signed. */
export interface UnionpayEvent extends CallbackEvent {
  readonly fields: Fields
  readonly charset: Charset
}

const OK = 200

/** Signs callbacks and writes them as forms; only 200 acknowledges them (dossier 3.2). */
export class UnionpayCourier implements Courier<UnionpayEvent> {
  readonly #seal: Seal
  readonly #panel: FaultPanel<Knobs>

  constructor(seal: Seal, panel: FaultPanel<Knobs>) {
    this.#seal = seal
    this.#panel = panel
  }

  pack(event: UnionpayEvent, style: 'genuine' | 'wrong_key'): Parcel {
    return this.parcel(event, this.#style(style))
  }

  /** One callback, signed in whatever style. */
  parcel(event: UnionpayEvent, style: SealStyle): Parcel {
    const { charset, fields } = this.#inCharset(event)
    const signed = this.#seal.sign(fields, style)
    return this.#write(signed, { charset, style })
  }

  /** A message that was signed before, as it goes on its way. */
  parcelOf(signed: Fields, charset: Charset, style: SealStyle): Parcel {
    return this.#write(signed, { charset, style })
  }

  isAcknowledged({ status }: CallbackAnswer): boolean {
    return status === OK
  }

  #write(
    signed: Fields,
    { charset, style }: { readonly charset: Charset; readonly style: SealStyle },
  ): Parcel {
    const { callbackEscapes: escapes } = this.#panel.get()
    return {
      headers: { 'Content-Type': `application/x-www-form-urlencoded;charset=${charset}` },
      body: writeFields(signed, { charset, escapes }),
      kind: style.kind === 'genuine' ? 'genuine' : 'forged',
      keySerial: style.kind === 'unsigned' ? '' : this.#seal.certIdFor(style),
    }
  }

  /** `encoding` is echoed as it was sent, unless the panel wants another charset. */
  #inCharset({ fields, charset }: UnionpayEvent): Pick<UnionpayEvent, 'fields' | 'charset'> {
    const { callbackCharset } = this.#panel.get()
    if (callbackCharset === 'as_ordered') return { fields, charset }
    return { fields: { ...fields, encoding: callbackCharset }, charset: callbackCharset }
  }

  #style(style: 'genuine' | 'wrong_key'): SealStyle {
    if (style === 'wrong_key') return { kind: 'rogue_key', privatePem: this.#seal.rogueKeyPem }
    const { callbackCertificate: certificate } = this.#panel.get()
    return certificate === 'genuine' ? { kind: 'genuine' } : { kind: 'certificate', certificate }
  }
}
