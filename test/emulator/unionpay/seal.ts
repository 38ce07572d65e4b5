import type { Charset } from './charset.ts'
import type { BadCertificate, CertifiedKey, VendorKeys } from './keys.ts'
import { certIdOf } from './keys.ts'
import type { Fields } from './message.ts'
import { signFields } from './signature.ts'

/** How a message is signed: as the vendor does it, or in a way that nobody may believe. */
export type SealStyle =
  | { readonly kind: 'genuine' }
  | { readonly kind: 'unsigned' }
  /** The vendor's certificate over the signature of another key. */
  | { readonly kind: 'rogue_key'; readonly privatePem: string }
  /** A sound signature under a certificate that does not count. */
  | { readonly kind: 'certificate'; readonly certificate: BadCertificate }

export interface Sealed {
  readonly fields: Fields
  readonly charset: Charset
  /** Decimal, of the certificate that is named. */
  readonly certId: string
}

/** The vendor's hand: it signs with the key of today and puts its certificate in (dossier 1.6). */
export class Seal {
  readonly keys: VendorKeys
  readonly rogueKeyPem: string
  #current: CertifiedKey

  constructor(keys: VendorKeys, rogueKeyPem: string) {
    this.keys = keys
    this.rogueKeyPem = rogueKeyPem
    this.#current = keys.signing
  }

  get current(): CertifiedKey {
    return this.#current
  }

  /** From now on everything is signed with this key. */
  rotate(key: CertifiedKey): void {
    this.#current = key
  }

  sign(fields: Fields, style: SealStyle): Fields {
    const key = this.keyFor(style)
    const named: Fields = {
      ...fields,
      signMethod: '01',
      ...(style.kind !== 'unsigned' && { signPubKeyCert: certificateText(key.certificatePem) }),
    }
    if (style.kind === 'unsigned') return named
    const privatePem = style.kind === 'rogue_key' ? style.privatePem : key.privatePem
    return { ...named, signature: signFields(named, privatePem) }
  }

  certIdFor(style: SealStyle): string {
    return certIdOf(this.keyFor(style).certificatePem)
  }

  keyFor(style: SealStyle): CertifiedKey {
    return style.kind === 'certificate' ? this.keys.bad[style.certificate] : this.#current
  }
}

/** The certificate as it travels: lines end with CR LF, the last one with nothing (dossier 1.6). */
export const certificateText = (pem: string): string => pem.trim().split(/\r?\n/).join('\r\n')
