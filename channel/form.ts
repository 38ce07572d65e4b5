/** How much of a form we read at all. */
export interface FormLimits {
  readonly bytesMax: number
  readonly fieldsMax: number
}

/**
 * One field, its escapes undone exactly once.
 *
 * The name holds one character per byte, so that comparing names compares bytes; names of all vendors are
 * ASCII. The value stays bytes, because which charset they are in stands in another field.
 */
export type FormField = readonly [name: string, value: Uint8Array]

export type FormProblem = 'too_large' | 'too_many_fields' | 'bad_escape'

export type FormReading =
  | { readonly kind: 'read'; readonly fields: readonly FormField[] }
  | { readonly kind: 'unreadable'; readonly problem: FormProblem }

/** Charsets in which the vendors write. */
export type Charset = 'utf-8' | 'gbk'

/**
 * Reads `application/x-www-form-urlencoded` bytes into fields in the order received. Never throws.
 *
 * `+` is a blank and `%XX` a byte; a field without `=` has an empty value; nothing between two `&` is no
 * field. An escape that is none makes the whole form unreadable, where others keep it as text.
 */
export function readForm(body: Uint8Array, limits: FormLimits): FormReading {
  if (body.length > limits.bytesMax) return unreadable('too_large')
  const fields: FormField[] = []
  for (const part of latin1(body).split('&')) {
    if (part === '') continue
    if (fields.length === limits.fieldsMax) return unreadable('too_many_fields')
    if (BAD_ESCAPE.test(part)) return unreadable('bad_escape')
    fields.push(readField(part))
  }
  return { kind: 'read', fields }
}

/** The first name that stands in the form twice; `undefined` when all differ. */
export function findDuplicate(fields: readonly FormField[]): string | undefined {
  const names = new Set<string>()
  for (const [name] of fields) {
    if (names.has(name)) return name
    names.add(name)
  }
  return undefined
}

/** The text of a value; `undefined` when the bytes are not in this charset. A byte order mark is text. */
export function decodeText(bytes: Uint8Array, charset: Charset): string | undefined {
  try {
    return DECODERS[charset].decode(bytes)
  } catch {
    // Bytes of another charset: the caller decides what a message means that cannot be read.
    return undefined
  }
}

/**
 * Writes a form in UTF-8, in the order given. A blank becomes `%20` and every byte that is not unreserved an
 * escape, so that it also stands in a URL.
 */
export const encodeForm = (fields: Iterable<readonly [name: string, value: string]>): string =>
  Array.from(fields, ([name, value]) => `${escapeText(name)}=${escapeText(value)}`).join('&')

/** Made once: a callback has thirty values, and making a decoder costs more than using it. */
const DECODERS: Readonly<Record<Charset, TextDecoder>> = {
  'utf-8': new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }),
  gbk: new TextDecoder('gbk', { fatal: true, ignoreBOM: true }),
}
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2})/
const ESCAPED = /\+|%[0-9A-Fa-f]{2}/g
const RESERVED = /[^0-9A-Za-z._~-]/g

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

const unreadable = (problem: FormProblem): FormReading => ({ kind: 'unreadable', problem })

function readField(part: string): FormField {
  const equals = part.indexOf('=')
  const name = equals === -1 ? part : part.slice(0, equals)
  const value = equals === -1 ? '' : part.slice(equals + 1)
  return [unescapeOnce(name), Buffer.from(unescapeOnce(value), 'latin1')]
}

/** One pass, so that what an escape produces is never looked at again. */
const unescapeOnce = (text: string): string =>
  text.replace(ESCAPED, (escape) =>
    escape === '+' ? ' ' : String.fromCharCode(Number.parseInt(escape.slice(1), 16)),
  )

/** Escapes bytes, not characters: a lone surrogate must not make it throw. */
const escapeText = (text: string): string =>
  Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(
      RESERVED,
      (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
