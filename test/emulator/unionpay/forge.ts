import type { Parcel } from '../core/courier.ts'
import { signMessage } from '../core/rsa.ts'
import type { UnionpayCourier, UnionpayEvent } from './courier.ts'
import { BAD_CERTIFICATES } from './keys.ts'
import type { Fields } from './message.ts'
import type { Seal, SealStyle } from './seal.ts'
import { signFields, signingString } from './signature.ts'

/** The ways to make a callback that must not be believed. */
export const FORGERIES = [
  ...BAD_CERTIFICATES,
  /** The vendor's certificate over a signature of a key that nobody knows. */
  'rogue_key',
  /** Genuine, with the order number changed after the signature. */
  'tampered',
  /** Genuine, with the CR LF of the certificate turned into LF after the signature. */
  'certificate_lf',
  /** Signed over the text itself instead of over its digest: the commonest mistake (dossier 1.5). */
  'signed_raw',
  /** Without a signature, with the certificate. */
  'no_signature',
  /** With a signature, without the certificate. */
  'no_certificate',
  /** Without either. */
  'unsigned',
  /** Claims to be 5.0.0, where SHA-1 is enough. */
  'downgraded',
] as const

export type Forgery = (typeof FORGERIES)[number]

/** Makes one forged callback; the caller sends it. */
export function forgeParcel(
  { seal, courier }: { readonly seal: Seal; readonly courier: UnionpayCourier },
  event: UnionpayEvent,
  forgery: Forgery,
): Parcel {
  const style = styleOf(forgery, seal.rogueKeyPem)
  const fields = forgery === 'downgraded' ? { ...event.fields, version: '5.0.0' } : event.fields
  const signed = spoil(seal, seal.sign(fields, style), forgery)
  return { ...courier.parcelOf(signed, event.charset, style), kind: 'forged' }
}

function styleOf(forgery: Forgery, privatePem: string): SealStyle {
  const certificate = BAD_CERTIFICATES.find((name) => name === forgery)
  if (certificate !== undefined) return { kind: 'certificate', certificate }
  if (forgery === 'rogue_key') return { kind: forgery, privatePem }
  return { kind: forgery === 'unsigned' ? forgery : 'genuine' }
}

function spoil(seal: Seal, signed: Fields, forgery: Forgery): Fields {
  if (forgery === 'tampered') return { ...signed, orderId: `${signed['orderId']}X` }
  if (forgery === 'certificate_lf') {
    return { ...signed, signPubKeyCert: signed['signPubKeyCert']?.replaceAll('\r', '') ?? '' }
  }
  if (forgery === 'signed_raw') {
    return { ...signed, signature: signMessage(seal.current.privatePem, signingString(signed)) }
  }
  if (forgery === 'no_signature') return without(signed, 'signature')
  if (forgery === 'no_certificate') return resign(seal, without(signed, 'signPubKeyCert'))
  return signed
}

/** Nothing is wrong with the signature itself. */
const resign = (seal: Seal, fields: Fields): Fields => ({
  ...fields,
  signature: signFields(fields, seal.current.privatePem),
})

const without = (fields: Fields, name: string): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name))
