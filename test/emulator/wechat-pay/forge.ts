import type { Parcel } from '../core/courier.ts'
import { newNonce } from '../core/random.ts'
import type { WechatPayCourier, WechatPayEvent } from './courier.ts'
import type { SerialMode, SignatureStyle } from './vendor-signature.ts'

/** The ways to make a callback that must not be believed. */
export const FORGERIES = [
  /** Signed with a key nobody knows, under a serial everybody knows. */
  'rogue_key',
  /** Genuine, with one byte changed after the signature. */
  'tampered',
  /** A signature as it was six minutes ago: a captured callback, replayed. */
  'stale',
  'unsigned',
  /** Names a serial that does not exist. */
  'unknown_serial',
  'probe',
  'full_probe',
  /** The vendor's signature over a body that the merchant's key does not open. */
  'wrong_api_key',
] as const

export type Forgery = (typeof FORGERIES)[number]

const API_KEY_CHARACTERS = 32
const STALE_MS = 6 * 60_000

/** Makes one forged callback; the caller sends it. */
export function forgeParcel(
  courier: WechatPayCourier,
  event: WechatPayEvent,
  how: { readonly forgery: Forgery; readonly serialMode: SerialMode; readonly rogueKeyPem: string },
): Parcel {
  const { forgery, serialMode } = how
  const style = styleOf(forgery, how.rogueKeyPem)
  const sealed =
    forgery === 'wrong_api_key' ? { ...event, apiV3Key: newNonce(API_KEY_CHARACTERS) } : event
  const ageMs = forgery === 'stale' ? STALE_MS : 0
  const parcel = courier.parcel(sealed, { style, serialMode, ageMs })
  return { ...spoil(parcel, forgery), kind: 'forged' }
}

function styleOf(forgery: Forgery, privateKeyPem: string): SignatureStyle {
  if (forgery === 'rogue_key') return { kind: forgery, privateKeyPem }
  if (forgery === 'unsigned' || forgery === 'probe' || forgery === 'full_probe') {
    return { kind: forgery }
  }
  return { kind: 'genuine' }
}

function spoil(parcel: Parcel, forgery: Forgery): Parcel {
  if (forgery === 'tampered') {
    return { ...parcel, body: parcel.body.toString().replace('"id":"', '"id":"x') }
  }
  if (forgery === 'unknown_serial') {
    const keySerial = 'PUB_KEY_ID_0000000000000000000000000000'
    return { ...parcel, keySerial, headers: { ...parcel.headers, 'Wechatpay-Serial': keySerial } }
  }
  return parcel
}
