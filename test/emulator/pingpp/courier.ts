import type { CallbackAnswer, CallbackEvent, Courier, Parcel } from '../core/courier.ts'
import type { FaultPanel } from '../core/knobs.ts'
import { signMessage } from '../core/rsa.ts'
import type { EmulatedEvent } from './event.ts'
import { eventObject } from './event.ts'
import type { Keyring, VendorKeys } from './keys.ts'
import { fingerprint } from './keys.ts'
import type { Knobs } from './knobs.ts'
import { payloadText } from './payload.ts'

/** One event on its way to one address. Its bytes are the same in every send. */
export interface PingppDelivery extends CallbackEvent {
  /** Raw text. */
  readonly body: string
}

export interface CourierSettings {
  readonly keyring: Keyring
  readonly rogueKeyPem: string
  readonly panel: FaultPanel<Knobs>
}

/** In any letter case (dossier 4.2). */
export const SIGNATURE_HEADER = 'X-Pingplusplus-Signature'

/** Signs raw bodies (dossier 4.2); any 2xx acknowledges them. */
export class PingppCourier implements Courier<PingppDelivery> {
  readonly #settings: CourierSettings
  #sends = 0

  constructor(settings: CourierSettings) {
    this.#settings = settings
  }

  /** The text of an event as the panel wants it. */
  textOf(event: EmulatedEvent): string {
    const knobs = this.#settings.panel.get()
    const { id, ...rest } = eventObject(event)
    return payloadText(knobs.eventWithoutId ? rest : { id, ...rest }, knobs)
  }

  pack({ body }: PingppDelivery, style: 'genuine' | 'wrong_key'): Parcel {
    const keys = this.#nextKeys()
    if (style === 'genuine') return sealed(body, keys)
    const privateKeyPem = this.#settings.rogueKeyPem
    return { ...sealed(body, { ...keys, privateKeyPem }), kind: 'forged' }
  }

  isAcknowledged({ status }: CallbackAnswer): boolean {
    return status >= 200 && status < 300
  }

  #nextKeys(): VendorKeys {
    const { keyring, panel } = this.#settings
    const { eventKey } = panel.get()
    this.#sends += 1
    const isOld = eventKey === 'previous' || (eventKey === 'mixed' && this.#sends % 2 === 0)
    return isOld ? keyring.previous : keyring.current
  }
}

/** One body with its signature: no time and no address is in it, so it verifies for ever. */
export const sealed = (body: string, keys: VendorKeys): Parcel => ({
  headers: {
    'Content-Type': 'application/json; charset=UTF-8',
    'User-Agent': 'Pingplusplus/1.0',
    [SIGNATURE_HEADER]: signMessage(keys.privateKeyPem, body),
  },
  body,
  kind: 'genuine',
  keySerial: fingerprint(keys.publicKeyPem),
})
