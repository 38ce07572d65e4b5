import { unixSeconds } from '#domain/time'
import type { Clock } from '#domain/time'
import type { RejectionReason } from '../channel.ts'
import { verify } from '../crypto-native.ts'
import type { NativeVerifyingKey } from '../crypto-native.ts'
import { decodeBase64, sign, utf8 } from '../crypto.ts'
import type { Signer } from './key.ts'

/** WeChat Pay dossier, section 1.2. */
export const SCHEME = 'WECHATPAY2-SHA256-RSA2048'
/** WeChat Pay dossier, section 1.9: signatures that the vendor makes wrong on purpose. */
const PROBE_PREFIX = 'WECHATPAY/SIGNTEST/'
/** WeChat Pay dossier, section 1.5: exactly 300 seconds away is too far, in either direction. */
const WINDOW_SECONDS = 300
const HEADER_CHARACTERS_MAX = 128
const SIGNATURE_CHARACTERS_MAX = 2048
const EXPLAINED_CHARACTERS_MAX = 300

export interface RequestToSign {
  readonly method: string
  /** Path and query, exactly as sent. */
  readonly target: string
  readonly timestamp: string
  readonly nonce: string
  /** Exactly as sent; empty without a body. */
  readonly body: string
}

const lines = (...values: readonly string[]): string => values.map((value) => `${value}\n`).join('')

/** WeChat Pay dossier, section 1.2: five lines, the last one ends too. */
export const requestMessage = (request: RequestToSign): string =>
  lines(request.method, request.target, request.timestamp, request.nonce, request.body)

/** WeChat Pay dossier, section 1.2: the `Authorization` header. */
export async function authorize(
  mchid: string,
  signer: Signer,
  request: RequestToSign,
): Promise<string> {
  const parameters = {
    mchid,
    nonce_str: request.nonce,
    signature: await sign(signer.key, requestMessage(request)),
    timestamp: request.timestamp,
    serial_no: signer.serial,
  }
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`)
  return `${SCHEME} ${pairs.join(',')}`
}

export interface ClientToSign {
  readonly appid: string
  readonly timestamp: string
  readonly nonce: string
  /** `prepay_id=…` for JSAPI and mini programs, the bare id for apps. */
  readonly prepay: string
}

/** WeChat Pay dossier, sections 2.5 and 2.8: what the customer's client shows to the vendor. */
export const signForClient = (signer: Signer, client: ClientToSign): Promise<string> =>
  sign(signer.key, lines(client.appid, client.timestamp, client.nonce, client.prepay))

export type SignatureCheck =
  | { readonly kind: 'valid'; readonly serial: string }
  | {
      readonly kind: 'invalid'
      readonly reason: Exclude<RejectionReason, 'content_type' | 'decrypt_failed'>
      readonly explanation: string
    }

export interface SignedMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type FindKey = (serial: string) => NativeVerifyingKey | undefined

const NAMES = {
  timestamp: 'wechatpay-timestamp',
  nonce: 'wechatpay-nonce',
  serial: 'wechatpay-serial',
  signature: 'wechatpay-signature',
} as const

/**
 * Checks the vendor's signature over the raw bytes of an answer or a callback.
 *
 * WeChat Pay dossier, section 1.5. Only the four headers, the bytes and our clock matter: never who sent it.
 */
export function checkSignature(
  findKey: FindKey,
  clock: Clock,
  message: SignedMessage,
): SignatureCheck {
  const read = readHeaders(message.headers)
  if (read.kind === 'invalid') return read
  const { timestamp, nonce, serial, signature } = read
  const skewSeconds = unixSeconds(clock.now()) - Number(timestamp)
  if (Math.abs(skewSeconds) >= WINDOW_SECONDS) {
    return invalid('stale', `expected less than 300 s of difference, found ${skewSeconds} s`)
  }
  const key = findKey(serial)
  if (key === undefined) return invalid('unknown_serial', `no valid key with serial ${serial}`)
  // Not an attack and never a success: the vendor tests whether we look, and repeats it signed well.
  if (signature.startsWith(PROBE_PREFIX)) return invalid('probe', 'a signature probe of WeChat Pay')
  const bytes = Buffer.concat([utf8(`${timestamp}\n${nonce}\n`), message.body, utf8('\n')])
  if (verify(key, bytes, signature)) return { kind: 'valid', serial }
  return invalid('bad_signature', explain(serial, bytes))
}

interface ReadHeaders {
  readonly kind: 'read'
  readonly timestamp: string
  readonly nonce: string
  readonly serial: string
  readonly signature: string
}

type Invalid = Extract<SignatureCheck, { kind: 'invalid' }>

function readHeaders(headers: Readonly<Record<string, string>>): ReadHeaders | Invalid {
  const missing = Object.values(NAMES).filter((name) => (headers[name] ?? '') === '')
  if (missing.length > 0) return invalid('header_missing', `expected ${missing.join(', ')}`)
  const read: ReadHeaders = {
    kind: 'read',
    timestamp: headers[NAMES.timestamp] ?? '',
    nonce: headers[NAMES.nonce] ?? '',
    serial: headers[NAMES.serial] ?? '',
    signature: headers[NAMES.signature] ?? '',
  }
  const malformed = malformedHeader(read, headers['wechatpay-signature-type'])
  return malformed === undefined ? read : invalid('header_malformed', `cannot read ${malformed}`)
}

function malformedHeader(read: ReadHeaders, type: string | undefined): string | undefined {
  if (type !== undefined && type !== SCHEME) return 'wechatpay-signature-type'
  if (!/^\d{1,12}$/.test(read.timestamp)) return NAMES.timestamp
  if (read.nonce.length > HEADER_CHARACTERS_MAX) return NAMES.nonce
  if (!/^[0-9A-Za-z_]+$/.test(read.serial) || read.serial.length > HEADER_CHARACTERS_MAX) {
    return NAMES.serial
  }
  return isSignatureReadable(read.signature) ? undefined : NAMES.signature
}

/** A probe is readable although its length is impossible in base64: it gets its own answer. */
const isSignatureReadable = (signature: string): boolean =>
  signature.length <= SIGNATURE_CHARACTERS_MAX &&
  (signature.startsWith(PROBE_PREFIX) || decodeBase64(signature) !== undefined)

const invalid = (reason: Invalid['reason'], explanation: string): Invalid => ({
  kind: 'invalid',
  reason,
  explanation,
})

/** The start of what was verified. A callback's body is encrypted, so nothing of the payer shows. */
const explain = (serial: string, bytes: Uint8Array): string =>
  `serial ${serial}, message of ${bytes.length} bytes: ${JSON.stringify(
    new TextDecoder().decode(bytes.subarray(0, EXPLAINED_CHARACTERS_MAX)),
  )}`
