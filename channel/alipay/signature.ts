import type { RejectionReason } from '../channel.ts'
import { verify } from '../crypto-native.ts'
import { sign } from '../crypto.ts'
import type { SigningKey } from '../crypto.ts'
import { findDuplicate } from '../form.ts'
import type { FormField } from '../form.ts'
import { redact } from '../redact.ts'
import type { VendorKey } from './key.ts'

/** The only algorithm that we make and accept: SHA256withRSA. `RSA` would be a step back to SHA-1. */
export const SIGN_TYPE = 'RSA2'
const EXPLAINED_CHARACTERS_MAX = 300

export type Params = Readonly<Record<string, string>>

/**
 * The text of a request that is signed: every parameter but `sign`, sorted, raw.
 *
 * Alipay dossier, section 1.3. An empty parameter is neither signed nor sent: see `withoutEmpty`.
 */
export const requestText = (params: Params): string =>
  Object.entries(withoutEmpty(params))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')

/** Parameters that count, in the order in which they are signed and sent. */
const withoutEmpty = (params: Params): Params =>
  Object.fromEntries(
    Object.entries(params)
      .filter(([name, value]) => value !== '' && name !== 'sign')
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

/** The parameters as they are sent, `sign` among them and nothing empty. */
export const signParams = async (key: SigningKey, params: Params): Promise<Params> => ({
  ...withoutEmpty(params),
  sign: await sign(key, requestText(params)),
})

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

/** The parts of an answer that matter for its signature. */
export interface SignedAnswer {
  /** What is signed: the bytes of the node, of an encrypted one with its quotes. */
  readonly run: Uint8Array
  /** Empty when there is none. */
  readonly signature: string
  /** The platform certificate that the answer names, in certificate mode. */
  readonly digest: string | undefined
}

/** Alipay dossier, section 1.4: what cannot be told apart by method comes under this name. */
const ERROR_NODE = 'error_response'

/**
 * Finds the signed run of an answer in its raw bytes (dossier, section 1.5).
 *
 * `undefined` for what is no JSON object, names no answer to this call, or names anything twice: then the run
 * that was verified and the one that is read could differ.
 */
export function readAnswer(body: Uint8Array, api: string): SignedAnswer | undefined {
  const members = readMembers(latin1(body))
  const run = members?.get(`${api.replaceAll('.', '_')}_response`) ?? members?.get(ERROR_NODE)
  if (members === undefined || run === undefined) return undefined
  return {
    run: Buffer.from(run, 'latin1'),
    signature: unquoted(members.get('sign')),
    digest: unquoted(members.get('alipay_cert_sn')) || undefined,
  }
}

/** Base64 and hex need no escapes but that of the slash. */
const unquoted = (run: string | undefined): string =>
  run?.startsWith('"') ? run.slice(1, -1).replaceAll('\\/', '/') : ''

const BLANKS = /[ \t\r\n]*/y
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/sy
const OPENING = '{['
const CLOSING = '}]'
const LITERAL = /[^\s,:"[\]{}]+/y

/** The members of a JSON object at the top, each with the exact text of its value. */
function readMembers(text: string): ReadonlyMap<string, string> | undefined {
  const members = new Map<string, string>()
  let at = skipBlanks(text, 0)
  if (text[at] !== '{') return undefined
  do {
    const start = skipBlanks(text, at + 1)
    const colon = skipBlanks(text, endOf(STRING, text, start))
    const value = skipBlanks(text, colon + 1)
    const end = endOfValue(text, value)
    const name = text.slice(start + 1, endOf(STRING, text, start) - 1)
    if (text[colon] !== ':' || end === 0 || members.has(name)) return undefined
    members.set(name, text.slice(value, end))
    at = skipBlanks(text, end)
  } while (text[at] === ',')
  return text[at] === '}' && skipBlanks(text, at + 1) === text.length ? members : undefined
}

const skipBlanks = (text: string, at: number): number => endOf(BLANKS, text, at)

/** Where a match that starts here ends; 0 when there is none. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : 0
}

/** Where a value ends, 0 when it does not: brackets are counted outside strings only. */
function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return endOf(STRING, text, start)
  if (!OPENING.includes(text[start] ?? ' ')) return endOf(LITERAL, text, start)
  let depth = 0
  for (let at = start; at > 0 && at < text.length; at += 1) {
    const character = text.charAt(at)
    if (character === '"') at = endOf(STRING, text, at) - 1
    else if (OPENING.includes(character)) depth += 1
    else if (CLOSING.includes(character) && --depth === 0) return at + 1
  }
  return 0
}

/**
 * Whether the vendor signed this run of an answer's bytes (dossier, section 1.5); the serial of the key.
 *
 * Answers with escaped slashes have been seen that were signed without them, so those get a second try.
 */
export function verifyRun(
  keys: readonly VendorKey[],
  run: Uint8Array,
  signature: string,
): string | undefined {
  const text = latin1(run)
  const plain = text.replaceAll('\\/', '/')
  return verifyAny(keys, plain === text ? [text] : [text, plain], signature)
}

/** One character per byte, so that what is verified are the bytes received, whatever their charset. */
function verifyAny(
  keys: readonly VendorKey[],
  texts: readonly string[],
  signature: string,
): string | undefined {
  for (const text of texts) {
    const bytes = Buffer.from(text, 'latin1')
    const found = keys.find(({ key }) => verify(key, bytes, signature))
    if (found !== undefined) return found.serial
  }
  return undefined
}

export type NoticeCheck =
  | { readonly kind: 'valid'; readonly serial: string }
  | {
      readonly kind: 'invalid'
      readonly reason: RejectionReason
      readonly explanation: string
    }

/** The vendor's keys; of one certificate when the message names it. */
export type FindKeys = (digest: string | undefined) => readonly VendorKey[]

/**
 * Checks the vendor's signature over the fields of a notification or a return.
 *
 * Alipay dossier, section 4.2. All fields received are signed, known to us or not.
 */
export function checkFields(findKeys: FindKeys, fields: readonly FormField[]): NoticeCheck {
  const duplicate = findDuplicate(fields)
  if (duplicate !== undefined) return invalid('field_duplicate', `${printable(duplicate)} is twice`)
  const values = new Map(fields.map(([name, value]) => [name, latin1(value)]))
  const signature = values.get('sign')
  const signType = values.get('sign_type')
  if (!signature || !signType) {
    return invalid('field_missing', 'expected sign and sign_type')
  }
  if (signType !== SIGN_TYPE) return invalid('wrong_algorithm', printable(signType))
  return checkKeys(findKeys, values, signature)
}

function checkKeys(findKeys: FindKeys, values: Values, signature: string): NoticeCheck {
  const digest = values.get('alipay_cert_sn')
  const keys = findKeys(digest)
  if (keys.length === 0) return invalid('unknown_serial', `no valid key ${printable(digest ?? '')}`)
  const texts = textsOf(values)
  const serial = verifyAny(keys, texts, signature)
  return serial === undefined
    ? invalid('bad_signature', explain(texts[0] ?? ''))
    : { kind: 'valid', serial }
}

const invalid = (reason: RejectionReason, explanation: string): NoticeCheck => ({
  kind: 'invalid',
  reason,
  explanation,
})

const printable = (text: string): string => JSON.stringify(text.slice(0, EXPLAINED_CHARACTERS_MAX))

/** The start of what was verified, without the payer. */
const explain = (text: string): string =>
  redact(Buffer.from(text, 'latin1').toString('utf8')).slice(0, EXPLAINED_CHARACTERS_MAX)

type Values = ReadonlyMap<string, string>

const UNSIGNED = new Set(['sign', 'sign_type'])

/**
 * The texts that may have been signed, the likeliest first.
 *
 * Payments: empty fields dropped, then kept, then without the name of the certificate, and nothing else.
 * Messages of the application gateway may be signed with their `sign_type` (dossier, sections 4.2 and 4.9).
 */
function textsOf(values: Values): readonly string[] {
  const plain = entriesOf(values).filter(([name]) => !UNSIGNED.has(name))
  const full = plain.filter(([, value]) => value !== '')
  const texts = [
    joined(full),
    joined(plain),
    joined(full.filter(([name]) => name !== 'alipay_cert_sn')),
  ]
  if (isMessage(values)) {
    const kept = entriesOf(values).filter(([name]) => name !== 'sign')
    texts.push(joined(kept.filter(([, value]) => value !== '')), joined(kept))
  }
  return [...new Set(texts)]
}

/** Whether fields have the shape of an application-gateway message and not of a payment's notification. */
const isMessage = (values: Values): boolean =>
  values.has('msg_method') ||
  (values.has('method') && values.has('notify_type') && !isPaymentNotice(values))

const isPaymentNotice = (values: Values): boolean =>
  values.get('notify_type') === 'trade_status_sync'

const entriesOf = (values: Values): readonly (readonly [string, string])[] =>
  [...values].toSorted(([a], [b]) => (a < b ? -1 : 1))

const joined = (entries: readonly (readonly [string, string])[]): string =>
  entries.map(([name, value]) => `${name}=${value}`).join('&')
