/** What a key is for. Each vendor needs its own set. */
export type KeyPurpose =
  | 'merchant_private'
  /** Our own certificate, where its serial goes out with each request. */
  | 'merchant_certificate'
  /** The vendor's public key or certificate. */
  | 'vendor_public'
  /** Certificates that the vendor's own must chain to: root and intermediate, each a key of its own. */
  | 'vendor_root'
  | 'symmetric'
  /** What proves to the vendor who calls, sent and never used to sign. */
  | 'api_secret'

export const KEY_PURPOSES: readonly KeyPurpose[] = [
  'merchant_private',
  'merchant_certificate',
  'vendor_public',
  'vendor_root',
  'symmetric',
  'api_secret',
]
