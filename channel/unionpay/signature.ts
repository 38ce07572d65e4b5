import type { RejectionReason } from '../channel.ts'
import { verify } from '../crypto-native.ts'
import { sha256Hex, sign, utf8 } from '../crypto.ts'
import { decodeText, findDuplicate } from '../form.ts'
import type { Charset, FormField } from '../form.ts'
import type { Keyring, Signer } from './key.ts'
import { isUnambiguous } from './wire.ts'
import type { Fields } from './wire.ts'

/** The only version and method that we speak: RSA with SHA-256 and a certificate (dossier, section 1.5). */
export const VERSION = '5.1.0'
const SIGN_METHOD = '01'

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  // Code units, never the order of a language: names are ASCII (dossier, section 1.5, step 3).
  a < b ? -1 : a > b ? 1 : 0

/** UnionPay dossier, section 1.5, steps 2 to 4: without the signature and all that is empty. */
export const signingText = (fields: Fields): string =>
  Object.entries(present(fields))
    .filter(([name]) => name !== 'signature')
    .toSorted(byName)
    .map(([name, value]) => `${name}=${value}`)
    .join('&')

/** Trimmed, because the vendor trims before it verifies; and without what is then empty. */
export const present = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields)
      .map(([name, value]) => [name, value.trim()] as const)
      .filter(([, value]) => value !== ''),
  )

/**
 * Signs a request: the fields exactly as they must be sent, by name.
 *
 * UnionPay dossier, section 1.5: RSA over the hex of the digest, so the text is hashed twice.
 */
export async function signFields(signer: Signer, fields: Fields): Promise<Fields> {
  const named = present({ ...fields, certId: signer.certId, signMethod: SIGN_METHOD })
  const signature = await sign(signer.key, await sha256Hex(utf8(signingText(named))))
  return Object.fromEntries(Object.entries({ ...named, signature }).toSorted(byName))
}

export type MessageCheck =
  | { readonly kind: 'valid'; readonly certId: string; readonly message: Fields }
  | {
      readonly kind: 'invalid'
      readonly reason: RejectionReason
      /** Shows numbers and states; the rest only by its length. */
      readonly explanation: string
    }

type Invalid = Extract<MessageCheck, { kind: 'invalid' }>

const invalid = (reason: RejectionReason, explanation: string): Invalid => ({
  kind: 'invalid',
  reason,
  explanation,
})

/**
 * Checks what the vendor signed: an answer, a notice or a return. Never throws.
 *
 * UnionPay dossier, section 1.6. The message that comes back holds only what was signed: an empty field is
 * not part of the signature, so it is no field. Who brought the message does not matter.
 */
export async function checkMessage(
  keyring: Keyring,
  received: readonly FormField[],
): Promise<MessageCheck> {
  const twice = findDuplicate(received)
  if (twice !== undefined) return invalid('field_duplicate', `${shortened(twice)} stands twice`)
  const fields = received.filter(([, value]) => !isBlank(value))
  const message = decodeFields(fields)
  if (message === undefined) return invalid('charset', 'expected text in UTF-8 or GBK')
  const trusted = trustSender(keyring, message)
  if (trusted.kind === 'invalid') return trusted
  const { certId, key } = trusted
  const text = Buffer.concat(signedParts(fields))
  if (Object.entries(message).every(isUnambiguous)) {
    const digest = utf8(await sha256Hex(text))
    if (verify(key, digest, message['signature'] ?? '')) return { kind: 'valid', certId, message }
  }
  return invalid('bad_signature', explain(certId, message))
}

type Sender = Invalid | Extract<ReturnType<Keyring['trust']>, { kind: 'trusted' }>

/** The algorithm and the certificate, before anything is computed with them. */
function trustSender(keyring: Keyring, message: Fields): Sender {
  const { version, signMethod, signature, signPubKeyCert } = message
  if (version !== VERSION || signMethod !== SIGN_METHOD) {
    return invalid('wrong_algorithm', `expected version ${VERSION} and signMethod ${SIGN_METHOD}`)
  }
  if (signature === undefined || signPubKeyCert === undefined) {
    return invalid('field_missing', 'expected signature and signPubKeyCert')
  }
  const trust = keyring.trust(signPubKeyCert)
  return trust.kind === 'trusted' ? trust : invalid('untrusted_certificate', trust.problem)
}

const BLANK = new Set([0x09, 0x0a, 0x0d, 0x20])
const isBlank = (value: Uint8Array): boolean => value.every((byte) => BLANK.has(byte))

/** UnionPay dossier, section 1.1; without the field, its default. */
const CHARSETS: Readonly<Record<string, Charset>> = { 'UTF-8': 'utf-8', GBK: 'gbk' }

/** Text in the charset that the message names; `undefined` when a value is not in it. */
function decodeFields(fields: readonly FormField[]): Fields | undefined {
  const named = fields.find(([name]) => name === 'encoding')?.[1]
  const name = named === undefined ? 'UTF-8' : Buffer.from(named).toString('latin1').toUpperCase()
  const charset = Object.hasOwn(CHARSETS, name) ? CHARSETS[name] : undefined
  if (charset === undefined) return undefined
  const message: Record<string, string> = Object.create(null)
  for (const [field, bytes] of fields) {
    const text = decodeText(bytes, charset)
    if (text === undefined) return undefined
    message[field] = text
  }
  return message
}

/** The bytes that were signed: values as received, joined in the order of their names. */
function signedParts(fields: readonly FormField[]): readonly Uint8Array[] {
  return fields
    .filter(([name]) => name !== 'signature')
    .toSorted(byName)
    .flatMap(([name, value], index) => [
      Buffer.from(`${index === 0 ? '' : '&'}${name}=`, 'latin1'),
      value,
    ])
}

/** Values that explain a message to people and are neither money's owner nor long. */
const SHOWN = new Set(
  'encoding merId orderId queryId respCode origRespCode txnAmt txnSubType txnTime txnType'.split(
    ' ',
  ),
)
const NAME_CHARACTERS_MAX = 32
const VALUE_CHARACTERS_MAX = 64
const EXPLAINED_FIELDS_MAX = 40

const shortened = (text: string): string => text.slice(0, NAME_CHARACTERS_MAX)

const explain = (certId: string, message: Fields): string =>
  `certificate ${certId}, fields: ${Object.entries(message)
    .toSorted(byName)
    .slice(0, EXPLAINED_FIELDS_MAX)
    .map(([name, value]) => describeField(name, value))
    .join('&')}`

const describeField = (name: string, value: string): string =>
  SHOWN.has(name)
    ? `${name}=${value.slice(0, VALUE_CHARACTERS_MAX)}`
    : `${shortened(name)}=(${value.length} characters)`
