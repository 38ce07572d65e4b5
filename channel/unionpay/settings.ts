import type { X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { unreachable } from '#domain/assert'
import type { KeyPurpose } from '#domain/key'
import { keysOf } from '../account.ts'
import type { AccountKey } from '../account.ts'
import { isIssuedBy, isSelfSigned, readCertificate } from '../certificate.ts'
import { readPrivatePem } from '../crypto.ts'
import { checkRsa, keyProblems, originLike, settingsProblems } from '../settings-check.ts'

/** UnionPay dossier, section 1.1. */
const HOSTS = {
  live: 'https://gateway.95516.com',
  test: 'https://gateway.test.95516.com',
} as const
const FILE_HOSTS = {
  live: 'https://filedownload.95516.com',
  test: 'https://filedownload.test.95516.com',
} as const

/** UnionPay dossier, section 1.2: `certId`, a decimal number. */
const CERT_ID = /^[1-9]\d{0,127}$/

/** Settings of one account: one merchant number. */
export const settingsSchema = z.strictObject({
  merId: z.string().regex(/^[0-9A-Za-z]{15}$/, { error: 'expected 15 letters or digits' }),
  /**
   * Which of the vendor's systems this is. It chooses the host, the mode of the vendor's mobile SDK, and
   * whether the name in the vendor's old test certificate is taken (dossier, section 1.6).
   */
  environment: z.enum(['live', 'test']).default('live'),
  base_url: originLike(HOSTS.live).optional(),
  /** Where bills are asked for: a host of its own. */
  file_url: originLike(FILE_HOSTS.live).optional(),
})

export type Settings = z.infer<typeof settingsSchema>

export const hostOf = (settings: Settings): string =>
  settings.base_url ?? HOSTS[settings.environment]

export const fileHostOf = (settings: Settings): string =>
  settings.file_url ?? FILE_HOSTS[settings.environment]

export const requiredKeys: readonly KeyPurpose[] = ['merchant_private', 'vendor_root']

/** What keeps an account from accepting payments. Never repeats a key's value. */
export function checkAccount(settings: unknown, keys: readonly AccountKey[]): readonly string[] {
  const parsed = settingsSchema.safeParse(settings)
  return [
    ...settingsProblems(parsed.error),
    ...keyProblems(keys, requiredKeys, checkKey),
    ...checkChain(keys),
  ]
}

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
  const problem = checkRsa(key, readPrivatePem(key.value.reveal()))
  if (problem !== undefined || CERT_ID.test(key.serial)) return problem
  return `merchant_private key: the serial is the certId, a decimal number, not "${key.serial}"`
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
  keysOf(keys, 'vendor_root')
    .map((key) => readCertificate(key.value.reveal()))
    .filter((certificate) => certificate !== undefined)
