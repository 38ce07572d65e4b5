import type { CallbackAnswer, CallbackEvent, Courier, Parcel } from '../core/courier.ts'
import type { DeliveryKind } from '../core/delivery-log.ts'
import type { FaultPanel } from '../core/knobs.ts'
import { signCallback } from './callback.ts'
import type { VendorKeys } from './keys.ts'
import type { Knobs } from './knobs.ts'
import type { SerialMode, SignatureStyle } from './vendor-signature.ts'
import { serialOf } from './vendor-signature.ts'

/** A callback's content before it is sealed. */
export interface WechatPayEvent extends CallbackEvent {
  readonly eventType: string
  readonly plaintext: string
  readonly apiV3Key: string
  readonly createdAt: Date
}

export interface ParcelStyle {
  readonly style: SignatureStyle
  readonly serialMode: SerialMode
  readonly ageMs?: number
}

export interface CourierSettings {
  readonly keys: VendorKeys
  readonly rogueKeyPem: string
  readonly panel: FaultPanel<Knobs>
  readonly now: () => Date
}

const ACKNOWLEDGING = new Set([200, 204])

/** Seals and signs callbacks (dossier 4.1); 200 and 204 acknowledge them (dossier 4.4). */
export class WechatPayCourier implements Courier<WechatPayEvent> {
  readonly #settings: CourierSettings
  #sends = 0

  constructor(settings: CourierSettings) {
    this.#settings = settings
  }

  pack(event: WechatPayEvent, style: 'genuine' | 'wrong_key'): Parcel {
    return this.parcel(event, { style: this.#style(style), serialMode: this.#nextSerialMode() })
  }

  /** Seals and signs an event now, or as it would have been `ageMs` ago. */
  parcel(event: WechatPayEvent, { style, serialMode, ageMs = 0 }: ParcelStyle): Parcel {
    const { keys, now } = this.#settings
    const { apiV3Key, plaintext, eventType, eventId: id, createdAt } = event
    const base = { keys, apiV3Key, plaintext, eventType, id, createdAt, serialMode, style }
    const signed = signCallback({ ...base, now: new Date(now().getTime() - ageMs) })
    return { ...signed, kind: kindOf(style), keySerial: serialOf(keys, serialMode) }
  }

  isAcknowledged({ status }: CallbackAnswer): boolean {
    return ACKNOWLEDGING.has(status)
  }

  #style(style: 'genuine' | 'wrong_key'): SignatureStyle {
    const { panel, rogueKeyPem } = this.#settings
    if (style === 'wrong_key') return { kind: 'rogue_key', privateKeyPem: rogueKeyPem }
    return panel.take('probe') ? { kind: 'probe' } : { kind: 'genuine' }
  }

  #nextSerialMode(): SerialMode {
    const { callbackKey } = this.#settings.panel.get()
    this.#sends += 1
    if (callbackKey !== 'mixed') return callbackKey
    return this.#sends % 2 === 1 ? 'public' : 'certificate'
  }
}

function kindOf({ kind }: SignatureStyle): DeliveryKind {
  if (kind === 'genuine') return 'genuine'
  return kind === 'probe' || kind === 'full_probe' ? 'probe' : 'forged'
}
