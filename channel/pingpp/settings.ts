import type { KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { z } from 'zod'
import { unreachable } from '#domain/assert'
import type { KeyPurpose } from '#domain/key'
import { keysOf } from '../account.ts'
import type { AccountKey } from '../account.ts'
import { readPrivatePem, readPublicPem } from '../crypto.ts'
import { checkRsa, keyProblems, originLike, settingsProblems } from '../settings-check.ts'

/** Ping++ dossier, section 1. Paths begin with `/v1`. */
const BASE_URL = 'https://api.pingxx.com'
/** Ping++ dossier, section 2.5: where the form of a UnionPay page is posted. */
const UNIONPAY_FORM_URL = 'https://gateway.95516.com/gateway/api/frontTransReq.do'
/** Without serials every callback may try each of them; a change of keys needs two. */
const VENDOR_KEYS_MAX = 8
const API_SECRET = /^sk_(live|test)_[0-9A-Za-z]{8,128}$/

/** Settings of one account: one app at Ping++ in one mode. Another app, or its test data, is another account. */
export const settingsSchema = z.strictObject({
  app: z.string().regex(/^app_[0-9A-Za-z]{1,60}$/),
  /** Test and live share a host and an app: only the secret and `livemode` tell them apart (section 7). */
  mode: z.enum(['live', 'test']).default('live'),
  base_url: originLike(BASE_URL).default(BASE_URL),
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
  const mode = parsed.success ? checkMode(parsed.data.mode, keys) : []
  return [
    ...settingsProblems(parsed.error),
    ...keyProblems(keys, requiredKeys, checkKey),
    ...mode,
    ...checkVendorKeys(keys),
  ]
}

/** Ping++ dossier, checklist 3: money of a live order must never hang on a test key, nor the reverse. */
function checkMode(mode: Mode, keys: readonly AccountKey[]): readonly string[] {
  return keysOf(keys, 'api_secret')
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

/**
 * Ping++ dossier, gotcha 11: our public key goes to the dashboard, the vendor's comes from it.
 *
 * With our own in its place no callback would ever verify, and that would show only after money has moved.
 */
function checkVendorKeys(keys: readonly AccountKey[]): readonly string[] {
  const vendors = keysOf(keys, 'vendor_public')
  const own = new Set(
    keysOf(keys, 'merchant_private')
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
