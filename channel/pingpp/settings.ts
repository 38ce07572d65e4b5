import type { KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { z } from 'zod'
import { unreachable } from '#domain/assert'
import type { KeyPurpose } from '#domain/key'
import type { AccountKey } from '../account.ts'
import { keyBits, readPrivatePem, readPublicPem } from '../crypto.ts'

/** Ping++ dossier, section 1. Paths begin with `/v1`. */
const BASE_URL = 'https://api.pingxx.com'
/** Ping++ dossier, section 2.5: where the form of a UnionPay page is posted. */
const UNIONPAY_FORM_URL = 'https://gateway.95516.com/gateway/api/frontTransReq.do'
const RSA_BITS_MIN = 2048
/** Without serials every callback may try each of them; a change of keys needs two. */
const VENDOR_KEYS_MAX = 8
const API_SECRET = /^sk_(live|test)_[0-9A-Za-z]{8,128}$/

const origin = z
  .url({ protocol: /^https?$/ })
  .refine((text) => URL.canParse(text) && new URL(text).origin === text, {
    error: 'expected an origin such as https://api.pingxx.com, without a path',
  })

/** Settings of one account: one app at Ping++ in one mode. Another app, or its test data, is another account. */
export const settingsSchema = z.strictObject({
  app: z.string().regex(/^app_[0-9A-Za-z]{1,60}$/),
  /** Test and live share a host and an app: only the secret and `livemode` tell them apart (section 7). */
  mode: z.enum(['live', 'test']).default('live'),
  base_url: origin.default(BASE_URL),
  unionpay_form_url: z.url({ protocol: /^https?$/ }).default(UNIONPAY_FORM_URL),
  /**
   * Ping++ dossier, section 1.2: a signature that is there is always checked. `required` believes no success
   * without one, as the vendor's Java client with a key does; errors may come unsigned.
   */
  answer_signature: z.enum(['required', 'where_present']).default('required'),
})

export type Settings = z.infer<typeof settingsSchema>
export type Mode = Settings['mode']

export const requiredKeys: readonly KeyPurpose[] = [
  'api_secret',
  'merchant_private',
  'vendor_public',
]

/** What keeps an account from accepting payments. Never repeats a key's value. */
export function checkAccount(settings: unknown, keys: readonly AccountKey[]): readonly string[] {
  const parsed = settingsSchema.safeParse(settings)
  const problems = parsed.success ? [] : parsed.error.issues.map(describeIssue)
  const missing = requiredKeys
    .filter((purpose) => !keys.some((key) => key.purpose === purpose))
    .map((purpose) => `no key for ${purpose}`)
  const unusable = keys.map(checkKey).filter((problem) => problem !== undefined)
  const mode = parsed.success ? checkMode(parsed.data.mode, keys) : []
  return [...problems, ...missing, ...unusable, ...mode, ...checkVendorKeys(keys)]
}

const describeIssue = (issue: z.core.$ZodIssue): string =>
  `settings ${issue.path.join('.') || '(all)'}: ${issue.message}`

/** Ping++ dossier, checklist 3: money of a live order must never hang on a test key, nor the reverse. */
function checkMode(mode: Mode, keys: readonly AccountKey[]): readonly string[] {
  return keys
    .filter((key) => key.purpose === 'api_secret')
    .filter((key) => (API_SECRET.exec(key.value.reveal())?.[1] ?? mode) !== mode)
    .map((key) => `mode ${mode} needs an sk_${mode}_ key, api_secret key ${key.serial} is another`)
}

function checkKey(key: AccountKey): string | undefined {
  switch (key.purpose) {
    case 'api_secret':
      return API_SECRET.test(key.value.reveal())
        ? undefined
        : `api_secret key ${key.serial} is no sk_live_… or sk_test_… key`
    case 'merchant_private':
      return checkRsa(key, readPrivatePem(key.value.reveal()))
    case 'vendor_public':
      return checkRsa(key, readPublicPem(key.value.reveal()))
    case 'merchant_certificate':
    case 'vendor_root':
    case 'symmetric':
      return `key ${key.serial} has a purpose that Ping++ does not use`
    default:
      return unreachable(key.purpose)
  }
}

function checkRsa(key: AccountKey, read: KeyObject | undefined): string | undefined {
  if (read === undefined) return `${key.purpose} key ${key.serial} is not RSA in PEM`
  return keyBits(read) < RSA_BITS_MIN
    ? `${key.purpose} key ${key.serial} is shorter than 2048 bits`
    : undefined
}

/**
 * Ping++ dossier, gotcha 11: our public key goes to the dashboard, the vendor's comes from it.
 *
 * With our own in its place no callback would ever verify, and that would show only after money has moved.
 */
function checkVendorKeys(keys: readonly AccountKey[]): readonly string[] {
  const vendors = keys.filter((key) => key.purpose === 'vendor_public')
  const own = new Set(
    keys
      .filter((key) => key.purpose === 'merchant_private')
      .map((key) => publicDer(readPrivatePem(key.value.reveal())))
      .filter((der) => der !== ''),
  )
  const swapped = vendors
    .filter((key) => own.has(publicDer(readPublicPem(key.value.reveal()))))
    .map((key) => `vendor_public key ${key.serial} is our own, not the one of Ping++`)
  return vendors.length > VENDOR_KEYS_MAX
    ? [
        ...swapped,
        `expected at most ${VENDOR_KEYS_MAX} vendor_public keys, found ${vendors.length}`,
      ]
    : swapped
}

/** The public half in DER, empty for no key. */
function publicDer(key: KeyObject | undefined): string {
  if (key === undefined) return ''
  const half = key.type === 'private' ? createPublicKey(key) : key
  return half.export({ type: 'spki', format: 'der' }).toString('base64')
}
