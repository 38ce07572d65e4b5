import type { Parcel } from '../core/courier.ts'
import type { AlipayCourier } from './courier.ts'
import { encodeForm } from './form.ts'
import type { AlipayEvent, NoticeField } from './notice.ts'
import { replaceFields } from './notice.ts'

/** The ways to make a notice that must not be believed. */
export const FORGERIES = [
  /** Signed with a key nobody knows. */
  'rogue_key',
  /** Genuine, with the amount changed after the signature. */
  'tampered',
  'unsigned',
  /** The vendor's key, but SHA-1, which an app of RSA2 must refuse. */
  'downgrade',
  /** Genuine, with a second `total_amount` behind it that is not signed. */
  'duplicate_field',
  /** Genuine, with a second `total_amount` before it. */
  'duplicate_field_first',
  /** Genuine, with a field that the vendor did not send. */
  'extra_field',
] as const

export type Forgery = (typeof FORGERIES)[number]

/** Makes one forged notice; the caller sends it. */
export function forgeParcel(
  courier: AlipayCourier,
  event: AlipayEvent,
  how: { readonly forgery: Forgery; readonly rogueKeyPem: string },
): Parcel {
  const fields = forgedFields(courier, event, how)
  const parcel = courier.parcel(event, fields)
  return { ...parcel, body: encodeForm(fields, event.charset), kind: 'forged' }
}

const LIE: NoticeField = ['total_amount', '99999.99']

function forgedFields(
  courier: AlipayCourier,
  event: AlipayEvent,
  { forgery, rogueKeyPem }: { readonly forgery: Forgery; readonly rogueKeyPem: string },
): readonly NoticeField[] {
  switch (forgery) {
    case 'rogue_key':
      return courier.seal(event, { privatePem: rogueKeyPem })
    case 'tampered':
      return replaceFields(courier.seal(event), [LIE])
    case 'unsigned':
      return courier.seal(event).filter(([name]) => name !== 'sign')
    case 'downgrade':
      return courier.seal(event, { signType: 'RSA' })
    case 'duplicate_field':
      return [...courier.seal(event), LIE]
    case 'duplicate_field_first':
      return [LIE, ...courier.seal(event)]
    case 'extra_field':
      return [...courier.seal(event), ['refund_fee', '0.01']]
  }
}
