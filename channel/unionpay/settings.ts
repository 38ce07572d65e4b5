import type { X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { unreachable } from '#domain/assert'
import type { KeyPurpose } from '#domain/key'
import type { AccountKey } from '../account.ts'
import { isIssuedBy, isSelfSigned, readCertificate } from '../certificate.ts'
import { keyBits, readPrivatePem } from '../crypto.ts'

/** UnionPay dossier, section 1.1. */
const HOSTS = {
  live: 'https://gateway.95516.com',
  test: 'https://gateway.test.95516.com',
} as const

export const RSA_BITS_MIN = 2048
/** UnionPay dossier, section 1.2: `certId`, a decimal number. */
const CERT_ID = /^[1-9]\d{0,127}$/

const origin = z
  .url({ protocol: /^https?$/ })
  .refine((text) => URL.canParse(text) && new URL(text).origin === text, {
    error: 'expected an origin such as https://gateway.95516.com, without a path',
  })

/** Settings of one account: one merchant number. */
export const settingsSchema = z.strictObject({
  merId: z.string().regex(/^[0-9A-Za-z]{15}$/, { error: 'expected 15 letters or digits' }),
  /**
   * Which of the vendor's systems this is. It chooses the host, the mode of the vendor's mobile SDK, and
   * whether the name in the vendor's old test certificate is taken (dossier, section 1.6).
   */
  environment: z.enum(['live', 'test']).default('live'),
  base_url: origin.optional(),
})

export type Settings = z.infer<typeof settingsSchema>

export const hostOf = (settings: Settings): string =>
  settings.base_url ?? HOSTS[settings.environment]

export const requiredKeys: readonly KeyPurpose[] = ['merchant_private', 'vendor_root']

/** What keeps an account from accepting payments. Never repeats a key's value. */
export function checkAccount(settings: unknown, keys: readonly AccountKey[]): readonly string[] {
  const parsed = settingsSchema.safeParse(settings)
  const problems = parsed.success ? [] : parsed.error.issues.map(describeIssue)
  const missing = requiredKeys
    .filter((purpose) => !keys.some((key) => key.purpose === purpose))
    .map((purpose) => `no key for ${purpose}`)
  const unusable = keys.map(checkKey).filter((problem) => problem !== undefined)
  return [...problems, ...missing, ...unusable, ...checkChain(keys)]
}

const describeIssue = (issue: z.core.$ZodIssue): string =>
  `settings ${issue.path.join('.') || '(all)'}: ${issue.message}`

function checkKey(key: AccountKey): string | undefined {
  switch (key.purpose) {
    case 'merchant_private':
      return checkPrivate(key)
    case 'vendor_root': {
      const certificate = readCertificate(key.value.reveal())
      if (certificate === undefined) return `vendor_root ${key.serial} is no certificate in PEM`
      return certificate.ca
        ? undefined
        : `vendor_root ${key.serial} may not sign others: give the root and the intermediate`
    }
    case 'merchant_certificate':
    case 'vendor_public':
    case 'symmetric':
    case 'api_secret':
      return `key ${key.serial} has a purpose that UnionPay does not use`
    default:
      return unreachable(key.purpose)
  }
}

function checkPrivate(key: AccountKey): string | undefined {
  const read = readPrivatePem(key.value.reveal())
  if (read === undefined) return `merchant_private key ${key.serial} is not RSA in PEM`
  if (keyBits(read) < RSA_BITS_MIN) {
    return `merchant_private key ${key.serial} is shorter than 2048 bits`
  }
  return CERT_ID.test(key.serial)
    ? undefined
    : `merchant_private key: the serial is the certId, a decimal number, not "${key.serial}"`
}

/** Everything that the vendor signs hangs on a root of ours (dossier, section 1.6). */
function checkChain(keys: readonly AccountKey[]): readonly string[] {
  const certificates = readRoots(keys)
  if (certificates.length === 0) return []
  if (!certificates.some(isSelfSigned)) return ['vendor_root: the root itself is missing']
  return certificates
    .filter((certificate) => !certificates.some((issuer) => isIssuedBy(certificate, issuer)))
    .map(({ serialNumber }) => `vendor_root ${serialNumber}: its own issuer is missing`)
}

/** The configured certificates that can be read. */
export const readRoots = (keys: readonly AccountKey[]): readonly X509Certificate[] =>
  keys
    .filter((key) => key.purpose === 'vendor_root')
    .map((key) => readCertificate(key.value.reveal()))
    .filter((certificate) => certificate !== undefined)
