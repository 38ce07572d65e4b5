import { z } from 'zod'
import { unreachable } from '#domain/assert'
import type { KeyPurpose } from '#domain/key'
import { keysOf } from '../account.ts'
import type { AccountKey } from '../account.ts'
import { splitPem } from '../certificate.ts'
import { checkRsa, keyProblems, settingsProblems } from '../settings-check.ts'
import { decodeContentKey, isKeyPair, readPrivateKey, readPublicKey, rootDigestOf } from './key.ts'

/** Alipay dossier, section 1.1. */
const GATEWAY_URL = 'https://openapi.alipay.com/gateway.do'
/** Alipay dossier, section 1.3: the vendor's key tool gives keys bare. */
const KEY_FORM = 'PEM or base64'

const appId = z.string().regex(/^\d{1,32}$/, { error: 'expected the digits of an APPID' })

/** How the customer's browser is sent to the vendor (dossier, section 2.4). */
const pageRequest = z.enum(['form', 'redirect']).default('form')

/** Settings of one account: one app of one merchant. Another app is another account. */
export const settingsSchema = z.strictObject({
  app_id: appId,
  /** The PID: who receives the money. Every notification names it. */
  seller_id: z.string().regex(/^2088\d{12}$/, { error: 'expected a PID of 16 digits from 2088' }),
  gateway_url: z
    .url({ protocol: /^https?$/ })
    .refine((text) => !/[?#]/.test(text), { error: 'expected no query' })
    .default(GATEWAY_URL),
  /** Alipay dossier, sections 1.6 and 1.7: an app has one mode at a time. */
  key_mode: z.enum(['public_key', 'certificate']).default('public_key'),
  page_request: pageRequest,
  wap_request: pageRequest,
  /** Alipay dossier, section 2.1: face-to-face payment or the order-code product. */
  qr_product_code: z
    .enum(['FACE_TO_FACE_PAYMENT', 'QR_CODE_OFFLINE'])
    .default('FACE_TO_FACE_PAYMENT'),
  /** The mini program that opens the cashier, where it is another app than this one (dossier, 2.5). */
  op_app_id: appId.optional(),
})

export type Settings = z.infer<typeof settingsSchema>

export const requiredKeys: readonly KeyPurpose[] = ['merchant_private', 'vendor_public']

/** Beyond those: what certificate mode sends, and what a new platform certificate is checked against. */
const CERTIFICATE_KEYS: readonly KeyPurpose[] = ['merchant_certificate', 'vendor_root']

/** What keeps an account from accepting payments. Never repeats a key's value. */
export function checkAccount(settings: unknown, keys: readonly AccountKey[]): readonly string[] {
  const parsed = settingsSchema.safeParse(settings)
  const isCertificateMode = parsed.data?.key_mode === 'certificate'
  const required = isCertificateMode ? [...requiredKeys, ...CERTIFICATE_KEYS] : requiredKeys
  return [
    ...settingsProblems(parsed.error),
    ...keyProblems(keys, required, checkKey),
    ...checkConfusion(keys),
    ...(isCertificateMode ? checkCertificates(keys) : []),
  ]
}

/**
 * The commonest mistake in setting up: the app's own public key in the place of Alipay's.
 *
 * Alipay dossier, sections 1.5 and 8, row 2.
 */
function checkConfusion(keys: readonly AccountKey[]): readonly string[] {
  const privates = keysOf(keys, 'merchant_private')
  return keysOf(keys, 'vendor_public')
    .filter((vendor) =>
      privates.some((own) => isKeyPair(own.value.reveal(), vendor.value.reveal())),
    )
    .map(
      (vendor) =>
        `vendor_public key ${vendor.serial} is the app's own; copy Alipay's from the console`,
    )
}

function checkCertificates(keys: readonly AccountKey[]): readonly string[] {
  const bare = keysOf(keys, 'vendor_public')
    .filter((key) => splitPem(key.value.reveal()).length === 0)
    .map(
      (key) => `key_mode certificate needs a certificate, vendor_public key ${key.serial} is none`,
    )
  const own = keysOf(keys, 'merchant_certificate')
  const privates = keysOf(keys, 'merchant_private')
  const lonely = own
    .filter((item) => !privates.some((key) => isKeyPair(key.value.reveal(), item.value.reveal())))
    .map((item) => `merchant_certificate ${item.serial} belongs to no merchant_private key`)
  return [...bare, ...lonely]
}

function checkKey(key: AccountKey): string | undefined {
  const name = `${key.purpose} key ${key.serial}`
  const text = key.value.reveal()
  switch (key.purpose) {
    case 'merchant_private':
      return checkRsa(key, readPrivateKey(text), KEY_FORM)
    case 'vendor_public':
      return checkRsa(key, readPublicKey(text), KEY_FORM)
    case 'merchant_certificate':
      return checkRsa(key, readPublicKey(splitPem(text)[0] ?? ''), KEY_FORM)
    case 'vendor_root':
      return rootDigestOf(text) === ''
        ? `${name} holds no RSA certificate; take alipayRootCert.crt as downloaded`
        : undefined
    case 'symmetric':
      return decodeContentKey(text) === undefined ? `${name} is not base64 of 16 bytes` : undefined
    case 'api_secret':
      return `key ${key.serial} has a purpose that Alipay does not use`
    default:
      return unreachable(key.purpose)
  }
}
