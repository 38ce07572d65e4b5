import type { X509Certificate } from 'node:crypto'
import type { Clock } from '#domain/time'
import type { Account } from '../account.ts'
import { chainOf, readCertificate } from '../certificate.ts'
import { importVerifyingKey } from '../crypto-native.ts'
import type { NativeVerifyingKey } from '../crypto-native.ts'
import { keyBits, readPublicPem } from '../crypto.ts'
import type { SigningKey } from '../crypto.ts'
import { createSigners, currentKey } from '../own-key.ts'
import { RSA_BITS_MIN } from '../settings-check.ts'
import { readRoots } from './settings.ts'
import type { Settings } from './settings.ts'

export interface Signer {
  readonly certId: string
  readonly key: SigningKey
}

/** The vendor's certificate out of a message, after it was found good. */
export interface Trusted {
  readonly kind: 'trusted'
  readonly certId: string
  readonly key: NativeVerifyingKey
}

export type TrustOutcome = Trusted | { readonly kind: 'untrusted'; readonly problem: string }

/** The keys of one account. Which of them count is asked again at every use. */
export interface Keyring {
  signer(): Promise<Signer>
  /** Judges the certificate that a message brings (dossier, section 1.6). Never throws. */
  trust(pem: string): TrustOutcome
}

/** UnionPay dossier, section 1.4: the whole serial as a decimal number, longer than a double may hold. */
export const certIdOf = (certificate: X509Certificate): string =>
  BigInt(`0x${certificate.serialNumber}`).toString()

/** The vendor's certificate, two at a change of it; a few more for the operator's mistakes. */
const CACHED_MAX = 16

export function createKeyring(account: Account, settings: Settings, clock: Clock): Keyring {
  const authorities = readRoots(account.keys)
  const signerOf = createSigners()
  const cache = new Map<string, Chained>()

  function trust(pem: string): TrustOutcome {
    const now = clock.now()
    const cached = cache.get(pem)
    if (cached !== undefined && isWithin(cached, now)) return cached.trusted
    const outcome = judge(pem, { authorities, environment: settings.environment, now })
    if (outcome.kind === 'untrusted') return outcome
    // Anybody can write the same certificate in many ways, so the oldest goes.
    const [oldest] = cache.keys()
    if (cache.size >= CACHED_MAX && oldest !== undefined) cache.delete(oldest)
    cache.set(pem, outcome)
    return outcome.trusted
  }

  async function signer(): Promise<Signer> {
    const chosen = currentKey(account, 'merchant_private', clock.now())
    return { certId: chosen.serial, key: await signerOf(chosen) }
  }

  return { signer, trust }
}

/** A good certificate, and the time in which it and all above it are valid. */
interface Chained {
  readonly kind: 'chained'
  readonly trusted: Trusted
  readonly from: Date
  readonly until: Date
}

interface Judge {
  readonly authorities: readonly X509Certificate[]
  readonly environment: Settings['environment']
  readonly now: Date
}

const untrusted = (problem: string): Extract<TrustOutcome, { kind: 'untrusted' }> => ({
  kind: 'untrusted',
  problem,
})

function judge(
  pem: string,
  { authorities, environment, now }: Judge,
): Chained | Extract<TrustOutcome, { kind: 'untrusted' }> {
  const certificate = readCertificate(pem)
  if (certificate === undefined) return untrusted('signPubKeyCert is no certificate')
  const { serialNumber } = certificate
  // A negative one is possible in a forgery, and is no number that could be named.
  if (!/^[0-9A-F]+$/i.test(serialNumber)) return untrusted('signPubKeyCert has no serial')
  const certId = certIdOf(certificate)
  if (!isVendorName(certificate, environment)) {
    return untrusted(`certificate ${certId} is not one of UnionPay in ${environment}`)
  }
  const chain = chainOf(certificate, { roots: authorities, between: [], now })
  if (chain === undefined) {
    return untrusted(`certificate ${certId} does not chain to a valid vendor_root, or has ended`)
  }
  const key = rsaKeyOf(pem)
  if (key === undefined || certificate.ca) {
    return untrusted(`certificate ${certId} is not one for signing messages`)
  }
  return {
    kind: 'chained',
    trusted: { kind: 'trusted', certId, key },
    from: new Date(Math.max(...chain.map((item) => item.validFromDate.getTime()))),
    until: new Date(Math.min(...chain.map((item) => item.validToDate.getTime()))),
  }
}

const isWithin = ({ from, until }: Pick<Chained, 'from' | 'until'>, now: Date): boolean =>
  from <= now && now < until

function rsaKeyOf(pem: string): NativeVerifyingKey | undefined {
  const key = readPublicPem(pem)
  return key !== undefined && keyBits(key) >= RSA_BITS_MIN ? importVerifyingKey(pem) : undefined
}

const VENDOR_NAME = '中国银联股份有限公司'
/** In the vendor's test certificate of 2015. */
const OLD_TEST_NAME = '00040000:SIGN'

/**
 * UnionPay dossier, section 1.6: the third part of the common name, and there is only one name.
 *
 * CFCA signs for every company, so without this any of its customers could write to us as UnionPay.
 */
function isVendorName(certificate: X509Certificate, environment: Settings['environment']): boolean {
  const name: unknown = certificate.toLegacyObject().subject.CN
  if (typeof name !== 'string') return false
  const part = name.split('@')[2]
  return part === VENDOR_NAME || (environment === 'test' && part === OLD_TEST_NAME)
}
