import type { Issuer } from '../core/certificate.ts'
import { issueCertificate, serialOfCertificate } from '../core/certificate.ts'
import { newNonce } from '../core/random.ts'
import type { PemPair } from '../core/rsa.ts'
import { newRsaPair } from '../core/rsa.ts'

/** A certificate and the key it belongs to. */
export interface CertifiedKey {
  readonly certificatePem: string
  readonly privatePem: string
}

/** The certificates that a merchant must refuse, each with the vendor's own key nowhere near it. */
export const BAD_CERTIFICATES = [
  'expired',
  'not_yet_valid',
  /** Of another customer of the same authority: the chain is right, the name is not. */
  'wrong_cn',
  /** The name of the vendor's test system; right there and wrong in production (dossier 1.6). */
  'test_cn',
  /** Everything looks right, but another authority of the same name issued it. */
  'foreign_ca',
] as const

export type BadCertificate = (typeof BAD_CERTIFICATES)[number]

export interface VendorKeys {
  /** Signs itself; a merchant pins it. */
  readonly root: CertifiedKey
  readonly intermediate: CertifiedKey
  /** Signs answers and callbacks; its certificate travels in `signPubKeyCert`. */
  readonly signing: CertifiedKey
  readonly bad: Readonly<Record<BadCertificate, CertifiedKey>>
}

export interface MerchantKeys {
  readonly privatePem: string
  readonly publicPem: string
  /** Issued by the vendor's authority, as CFCA does it. */
  readonly certificatePem: string
  /** Its serial, decimal (dossier 1.4). */
  readonly certId: string
}

export interface UnionpayKeys {
  readonly vendor: VendorKeys
  readonly merchant: MerchantKeys
}

const HOLDER = 'C=cn, O=CFCA OCA1, OU=Local RA OCA1, OU=Enterprises'
const VENDOR_CN = '041@8310000000083040@中国银联股份有限公司@00016495'
const CUSTOMER_CN = '041@Z2014-11-11@700000000000001:SIGN@00000003'
const TEST_CN = '041@Z12@00040000:SIGN@00000062'
const AUTHORITY = 'C=CN, O=China Financial Certification Authority'
const ROOT = `${AUTHORITY}, CN=EMULATED CS CA`
const INTERMEDIATE = `${AUTHORITY}, CN=EMULATED OCA1`

const DAY_MS = 24 * 3600 * 1000
const YEAR_MS = 365 * DAY_MS
const YEARS = 5

/** The vendor's authority and keys, and one merchant that it knows. Valid around `now`. */
export async function makeUnionpayKeys(now: Date = new Date()): Promise<UnionpayKeys> {
  const vendor = await makeVendorKeys(now)
  return { vendor, merchant: await makeMerchantKeys(vendor, now) }
}

export async function makeVendorKeys(now: Date = new Date()): Promise<VendorKeys> {
  const [rootPair, intermediatePair, signingPair, roguePair] = await Promise.all([
    newRsaPair(),
    newRsaPair(),
    newRsaPair(),
    newRsaPair(),
  ])
  const root = await certify({ subject: ROOT, pair: rootPair, isAuthority: true, now })
  const intermediate = await certify({
    subject: INTERMEDIATE,
    pair: intermediatePair,
    issuer: root,
    isAuthority: true,
    now,
  })
  const signing = await certifySigning(intermediate, signingPair, now)
  return { root, intermediate, signing, bad: await makeBad(intermediate, roguePair, now) }
}

/** A new key and certificate of the vendor, as after a rotation. */
export const makeSigningKey = async (
  { intermediate }: Pick<VendorKeys, 'intermediate'>,
  now: Date,
): Promise<CertifiedKey> => certifySigning(intermediate, await newRsaPair(), now)

export async function makeMerchantKeys(
  { intermediate }: Pick<VendorKeys, 'intermediate'>,
  now: Date = new Date(),
): Promise<MerchantKeys> {
  const pair = await newRsaPair()
  const subject = `${HOLDER}, CN=${CUSTOMER_CN}`
  const { certificatePem } = await certify({ subject, pair, issuer: intermediate, now })
  return { ...pair, certificatePem, certId: certIdOf(certificatePem) }
}

/** The serial as a decimal number; it is longer than a double can hold. */
export const certIdOf = (certificatePem: string): string =>
  BigInt(`0x${serialOfCertificate(certificatePem)}`).toString()

const certifySigning = (issuer: Issuer, pair: PemPair, now: Date): Promise<CertifiedKey> =>
  certify({ subject: `${HOLDER}, CN=${VENDOR_CN}`, pair, issuer, now })

async function makeBad(
  issuer: Issuer,
  pair: PemPair,
  now: Date,
): Promise<Readonly<Record<BadCertificate, CertifiedKey>>> {
  const subject = `${HOLDER}, CN=${VENDOR_CN}`
  const foreign = await certify({ subject: INTERMEDIATE, pair, isAuthority: true, now })
  const past = new Date(now.getTime() - (YEARS + 1) * YEAR_MS)
  const future = new Date(now.getTime() + 30 * DAY_MS)
  return {
    expired: await certify({ subject, pair, issuer, now: past }),
    not_yet_valid: await certify({ subject, pair, issuer, now: future }),
    wrong_cn: await certify({ subject: `${HOLDER}, CN=${CUSTOMER_CN}`, pair, issuer, now }),
    test_cn: await certify({ subject: `${HOLDER}, CN=${TEST_CN}`, pair, issuer, now }),
    foreign_ca: await certify({ subject, pair, issuer: foreign, now }),
  }
}

async function certify(wish: {
  readonly subject: string
  readonly pair: PemPair
  readonly issuer?: Issuer
  readonly isAuthority?: boolean
  readonly now: Date
}): Promise<CertifiedKey> {
  const { now, ...rest } = wish
  const certificatePem = await issueCertificate({
    ...rest,
    // CFCA's serials are five bytes that begin with 10.
    serial: `10${newNonce(8)}`,
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + YEARS * YEAR_MS),
  })
  return { certificatePem, privatePem: wish.pair.privatePem }
}
