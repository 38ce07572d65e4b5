import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Clock } from '#domain/time'
import { currentKeys, keysOf } from '../account.ts'
import type { Account, AccountKey, Validity } from '../account.ts'
import { readCertificates, splitPem } from '../certificate.ts'
import type { FetchedKey } from '../channel.ts'
import { importVerifyingKey } from '../crypto-native.ts'
import type { NativeVerifyingKey } from '../crypto-native.ts'
import { decodeBase64, readPrivatePem, readPublicPem } from '../crypto.ts'
import type { SigningKey } from '../crypto.ts'
import { ChannelUnavailable } from '../http.ts'
import { createSigners, currentKey } from '../own-key.ts'

/** What certificate mode sends beside every signature (dossier, section 1.7). */
export interface Digests {
  readonly app: string
  readonly root: string
}

export interface Signer {
  readonly key: SigningKey
  /** Absent in public-key mode. */
  readonly digests?: Digests
}

export interface VendorKey {
  /** As the account stores it. */
  readonly serial: string
  readonly key: NativeVerifyingKey
}

/** The keys of one account. Which of them count is asked again at every use. */
export interface Keyring {
  signer(): Promise<Signer>
  /**
   * The vendor's keys that may have signed, the newest first: with the digest of a certificate only that
   * one's. Empty when we hold none that is still valid.
   */
  verifying(digest?: string): readonly VendorKey[]
  /** Takes a platform certificate that was downloaded and checked, for as long as this instance lives. */
  learn(digest: string, fetched: FetchedKey): void
  /** Certificates that a platform certificate may chain to or through. */
  roots(): readonly X509Certificate[]
  /** The key of encrypted content (dossier, section 1.8); absent where the account has none. */
  contentKey(): Uint8Array | undefined
}

const CONTENT_KEY_BYTES = 16
const LEARNT_MAX = 16

/** The base64 of a key without armour and blanks: the vendor's key tool gives it bare (dossier, 1.3). */
const bare = (text: string): string => text.replace(/-----[^-]+-----/g, '').replace(/\s/g, '')

const armoured = (name: string, base64: string): string =>
  `-----BEGIN ${name}-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END ${name}-----\n`

/** Reads a private RSA key, PKCS#8 or PKCS#1, with or without armour; `undefined` when it is none. */
export function readPrivateKey(text: string): KeyObject | undefined {
  const base64 = bare(text)
  return (
    readPrivatePem(armoured('PRIVATE KEY', base64)) ??
    readPrivatePem(armoured('RSA PRIVATE KEY', base64))
  )
}

/** Reads a public RSA key or the first certificate of a file; never the public half of a private key. */
export function readPublicKey(text: string): KeyObject | undefined {
  const [certificate] = splitPem(text)
  if (certificate !== undefined) return readPublicPem(certificate)
  const base64 = bare(text)
  return (
    readPublicPem(armoured('PUBLIC KEY', base64)) ??
    readPublicPem(armoured('RSA PUBLIC KEY', base64))
  )
}

/** Whether a public key or certificate belongs to the private key. */
export function isKeyPair(privateText: string, publicText: string): boolean {
  const own = readPrivateKey(privateText)
  const other = readPublicKey(publicText)
  if (own === undefined || other === undefined) return false
  const half = readPublicPem(String(own.export({ type: 'pkcs8', format: 'pem' })))
  return half !== undefined && half.equals(other)
}

/** Base64 of exactly 16 bytes (dossier, section 1.8). */
export function decodeContentKey(text: string): Uint8Array | undefined {
  const bytes = decodeBase64(text.trim())
  return bytes?.length === CONTENT_KEY_BYTES ? bytes : undefined
}

const CONTENT_CIPHER = 'aes-128-cbc'
/** Alipay dossier, section 1.8: sixteen zero bytes, always. What protects the content is the signature. */
const CONTENT_IV = Buffer.alloc(16)

/** Encrypts business fields; what is signed and sent then is the base64. */
export function sealContent(key: Uint8Array, text: string): string {
  const cipher = createCipheriv(CONTENT_CIPHER, key, CONTENT_IV)
  return Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]).toString('base64')
}

/** Opens encrypted content; `undefined` when it does not open. Verify first. */
export function openContent(key: Uint8Array, base64: string): Uint8Array | undefined {
  const bytes = decodeBase64(base64)
  if (bytes === undefined) return undefined
  try {
    const decipher = createDecipheriv(CONTENT_CIPHER, key, CONTENT_IV)
    return Buffer.concat([decipher.update(bytes), decipher.final()])
  } catch {
    // Another key: the content is not for us, and why is nobody's business.
    return undefined
  }
}

/** Alipay dossier, section 1.7: MD5 of the issuer, its most specific part first, and the serial in decimal. */
export const digestOf = (certificate: X509Certificate): string =>
  digestOfNames(
    certificate.issuer.split('\n').toReversed().join(','),
    BigInt(`0x${certificate.serialNumber}`),
  )

export const digestOfNames = (issuer: string, serial: bigint): string =>
  createHash('md5').update(`${issuer}${serial}`).digest('hex')

const RSA_SIGNATURE_OID = '1.2.840.113549.1.1'

/** The digests of a bundle's RSA certificates in file order; empty when it holds none. */
export const rootDigestOf = (bundle: string): string =>
  readCertificates(bundle)
    .filter((item) => item.signatureAlgorithmOid.startsWith(RSA_SIGNATURE_OID))
    .map(digestOf)
    .join('_')

interface Entry extends Validity {
  readonly vendor: VendorKey
  readonly digest: string | undefined
}

export function createKeyring(account: Account, clock: Clock, isCertificateMode: boolean): Keyring {
  const entries = keysOf(account.keys, 'vendor_public').flatMap(readEntry)
  const roots = keysOf(account.keys, 'vendor_root').flatMap((key) =>
    readCertificates(key.value.reveal()),
  )
  const learnt = new Map<string, Entry>()
  const signerOf = createSigners(pemOf)
  return {
    async signer() {
      const chosen = chooseKeys(account, clock.now(), isCertificateMode)
      const key = await signerOf(chosen.key)
      return { key, ...(chosen.digests ? { digests: chosen.digests } : {}) }
    },
    verifying: (digest) =>
      currentKeys([...entries, ...learnt.values()], clock.now())
        .filter((entry) => digest === undefined || entry.digest === digest)
        .map((entry) => entry.vendor),
    learn(digest, fetched) {
      if (learnt.size >= LEARNT_MAX) return
      for (const entry of readVendor(fetched.serial, fetched.pem, fetched))
        learnt.set(digest, entry)
    },
    roots: () => roots,
    contentKey() {
      const [key] = currentKeys(keysOf(account.keys, 'symmetric'), clock.now())
      return key && decodeContentKey(key.value.reveal())
    },
  }
}

const pemOf = (text: string): string =>
  String(readPrivateKey(text)?.export({ type: 'pkcs8', format: 'pem' }) ?? '')

const readEntry = (key: AccountKey): readonly Entry[] =>
  readVendor(key.serial, key.value.reveal(), key)

function readVendor(serial: string, text: string, dates: Validity): readonly Entry[] {
  const read = readPublicKey(text)
  const key = read && importVerifyingKey(String(read.export({ type: 'spki', format: 'pem' })))
  if (key === undefined) return []
  const [certificate] = readCertificates(text)
  return [
    {
      ...datesOf(dates, certificate),
      vendor: { serial, key },
      digest: certificate && digestOf(certificate),
    },
  ]
}

/** A certificate's own dates where the row has none: expired is expired, whoever stored it. */
const datesOf = (dates: Validity, certificate: X509Certificate | undefined): Validity =>
  certificate === undefined
    ? {
        ...(dates.validFrom && { validFrom: dates.validFrom }),
        ...(dates.validUntil && { validUntil: dates.validUntil }),
      }
    : {
        validFrom: dates.validFrom ?? new Date(certificate.validFrom),
        validUntil: dates.validUntil ?? new Date(certificate.validTo),
      }

interface Chosen {
  readonly key: AccountKey
  readonly digests?: Digests
}

/** In certificate mode the certificate decides, and the private key is the one that belongs to it. */
function chooseKeys(account: Account, now: Date, isCertificateMode: boolean): Chosen {
  if (!isCertificateMode) return { key: currentKey(account, 'merchant_private', now) }
  const keys = currentKeys(keysOf(account.keys, 'merchant_private'), now)
  const certificates = currentKeys(keysOf(account.keys, 'merchant_certificate').map(withDates), now)
  for (const { pem } of certificates) {
    const key = keys.find((item) => isKeyPair(item.value.reveal(), pem))
    const [certificate] = readCertificates(pem)
    if (key !== undefined && certificate !== undefined) {
      const root = currentKey(account, 'vendor_root', now).value.reveal()
      return { key, digests: { app: digestOf(certificate), root: rootDigestOf(root) } }
    }
  }
  throw new ChannelUnavailable('no valid merchant_certificate with its merchant_private key')
}

const withDates = (key: AccountKey): Validity & { readonly pem: string } => ({
  ...datesOf(key, readCertificates(key.value.reveal())[0]),
  pem: key.value.reveal(),
})
