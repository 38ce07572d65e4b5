import { z } from 'zod'
import { unreachable } from '#domain/assert'
import type { KeyPurpose } from '#domain/key'
import type { AccountKey } from '../account.ts'
import { readPrivatePem, readPublicPem } from '../crypto.ts'
import { checkRsa, keyProblems, originLike, settingsProblems } from '../settings-check.ts'

/** WeChat Pay dossier, section 1.1: primary host. */
const BASE_URL = 'https://api.mch.weixin.qq.com'
/** WeChat Pay dossier, section 1.1: the backup host that the vendor's API pages print. */
const BACKUP_URL = 'https://api2.mch.weixin.qq.com'
const APIV3_KEY_BYTES = 32
const PUBLIC_KEY_ID = /^PUB_KEY_ID_[0-9A-Za-z]+$/
const CERTIFICATE_SERIAL = /^[0-9A-Fa-f]{1,40}$/

/** Settings of one account: one merchant number and one app. Another app is another account. */
export const settingsSchema = z.strictObject({
  mchid: z.string().regex(/^\d{1,32}$/),
  appid: z.string().regex(/^[0-9A-Za-z_]{1,32}$/),
  base_url: originLike(BASE_URL).default(BASE_URL),
  /** Without it the vendor's own backup stands behind the vendor's own host, and nothing behind another. */
  backup_url: originLike(BACKUP_URL).optional(),
  /** WeChat Pay dossier, section 1.7: whose signature we ask for on answers. Callbacks accept both. */
  key_mode: z.enum(['public_key', 'certificate']).default('public_key'),
})

export type Settings = z.infer<typeof settingsSchema>

/** Hosts in the order in which they are tried. */
export function hostsOf(settings: Settings): readonly string[] {
  const backup = settings.backup_url ?? (settings.base_url === BASE_URL ? BACKUP_URL : undefined)
  return backup === undefined ? [settings.base_url] : [settings.base_url, backup]
}

export const requiredKeys: readonly KeyPurpose[] = [
  'merchant_private',
  'vendor_public',
  'symmetric',
]

/** What keeps an account from accepting payments. Never repeats a key's value. */
export function checkAccount(settings: unknown, keys: readonly AccountKey[]): readonly string[] {
  const parsed = settingsSchema.safeParse(settings)
  const mode = parsed.success ? checkMode(parsed.data, keys) : []
  return [...settingsProblems(parsed.error), ...keyProblems(keys, requiredKeys, checkKey), ...mode]
}

/** In public-key mode the id goes out with every request, so there must be one (dossier, section 1.7). */
function checkMode(settings: Settings, keys: readonly AccountKey[]): readonly string[] {
  if (settings.key_mode === 'certificate') return []
  const found = keys.some((key) => key.purpose === 'vendor_public' && isPublicKeyId(key.serial))
  return found ? [] : ['key_mode public_key needs a vendor_public key named PUB_KEY_ID_…']
}

function checkKey(key: AccountKey): string | undefined {
  switch (key.purpose) {
    case 'merchant_private':
      return checkSigner(
        key,
        readPrivatePem(key.value.reveal()),
        CERTIFICATE_SERIAL.test(key.serial),
      )
    case 'vendor_public':
      return checkSigner(
        key,
        readPublicPem(key.value.reveal()),
        isPublicKeyId(key.serial) || CERTIFICATE_SERIAL.test(key.serial),
      )
    case 'symmetric':
      return isApiv3Key(key.value.reveal())
        ? undefined
        : `symmetric key ${key.serial} is not an APIv3 key of exactly 32 bytes that differ`
    case 'merchant_certificate':
    case 'vendor_root':
    case 'api_secret':
      return `key ${key.serial} has a purpose that WeChat Pay does not use`
    default:
      return unreachable(key.purpose)
  }
}

function checkSigner(
  key: AccountKey,
  read: ReturnType<typeof readPublicPem>,
  isSerialGood: boolean,
): string | undefined {
  const problem = checkRsa(key, read)
  if (problem !== undefined || isSerialGood) return problem
  return `${key.purpose} key has no serial of WeChat Pay: "${key.serial}"`
}

export const isPublicKeyId = (serial: string): boolean => PUBLIC_KEY_ID.test(serial)

/**
 * Whether a text can be an APIv3 key: exactly 32 bytes, none blank, not one character repeated.
 *
 * WeChat Pay dossier, section 1.8: the characters are the key. AES would take 16 bytes too, and an empty or
 * default key would let anybody write callbacks.
 */
export const isApiv3Key = (text: string): boolean =>
  Buffer.byteLength(text) === APIV3_KEY_BYTES && !/\s/.test(text) && new Set(text).size > 1
