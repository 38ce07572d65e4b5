import type { Charset } from './charset.ts'
import { decodeText, encodeText, parseCharset } from './charset.ts'

/** A message: names and values as the signing string has them, without any escapes. */
export type Fields = Readonly<Record<string, string>>

/**
 * How the values of a form are escaped. Java writes a blank as `+`, others as `%20`; `none` is how the
 * vendor writes its synchronous answers, and an error in a callback (dossier 1.1).
 */
export type Escapes = 'plus' | 'percent' | 'none'

export type FormReading =
  | { readonly kind: 'read'; readonly fields: Fields; readonly charset: Charset }
  | { readonly kind: 'unreadable'; readonly why: string }

/** Percent escapes must be written in capitals, or the gateway fails (dossier 7, item 14). */
export const hasSmallEscapes = (body: string): boolean => /%(?:[a-f]|[0-9A-F][a-f])/.test(body)

/** Reads a form body in the charset that its own `encoding` names. */
export function readForm(bytes: Uint8Array): FormReading {
  const raw = new Map<string, Uint8Array>()
  for (const part of Buffer.from(bytes).toString('latin1').split('&')) {
    if (part === '') continue
    const end = part.includes('=') ? part.indexOf('=') : part.length
    const name = unescape(part.slice(0, end)).toString('latin1')
    if (raw.has(name)) return { kind: 'unreadable', why: `${name} stands there twice` }
    raw.set(name, unescape(part.slice(end + 1)))
  }
  return decodeFields(raw)
}

function decodeFields(raw: ReadonlyMap<string, Uint8Array>): FormReading {
  const charset = parseCharset(Buffer.from(raw.get('encoding') ?? []).toString('latin1'))
  if (charset === undefined) return { kind: 'unreadable', why: 'encoding' }
  const fields: Record<string, string> = {}
  for (const [name, bytes] of raw) {
    const value = decodeText(bytes, charset)
    if (value === undefined) return { kind: 'unreadable', why: name }
    fields[name] = value
  }
  return { kind: 'read', fields, charset }
}

/** Undoes `+` and `%XX` once, to bytes. */
function unescape(text: string): Buffer {
  const plain = text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
  return Buffer.from(plain, 'latin1')
}

/** Writes `k=v&k=v`. Empty values are left out, as they are neither signed nor sent. */
export function writeFields(
  fields: Fields,
  { charset, escapes }: { readonly charset: Charset; readonly escapes: Escapes },
): Uint8Array<ArrayBuffer> {
  const parts = Object.entries(fields)
    .filter(([, value]) => value.trim() !== '')
    .map(
      ([name, value]) => `${name}=${escapes === 'none' ? value : escape(value, charset, escapes)}`,
    )
  return encodeText(parts.join('&'), charset)
}

function escape(value: string, charset: Charset, escapes: Escapes): string {
  const text = Array.from(encodeText(value, charset), escapeByte).join('')
  return escapes === 'plus' ? text.replaceAll('%20', '+') : text
}

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte)
  if (/[A-Za-z0-9._*-]/.test(character)) return character
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

/** Reads a synchronous answer: values are raw, may hold `=` and, inside brackets, `&` (dossier 1.6). */
export function readRawFields(text: string): Fields {
  const fields: Record<string, string> = {}
  for (const part of splitOutsideBrackets(text)) {
    const end = part.indexOf('=')
    if (end > 0) fields[part.slice(0, end)] = part.slice(end + 1)
  }
  return fields
}

/** A bracket only counts where it opens the value: `respMsg` has one in the middle. */
function splitOutsideBrackets(text: string): string[] {
  const parts: string[] = []
  let from = 0
  while (from < text.length) {
    const end = endOfPart(text, from)
    parts.push(text.slice(from, end))
    from = end + 1
  }
  return parts
}

function endOfPart(text: string, from: number): number {
  const opening = text[text.indexOf('=', from) + 1]
  const closing = opening === '{' ? '}&' : opening === '[' ? ']&' : '&'
  const end = text.indexOf(closing, from)
  return end === -1 ? text.length : end + closing.length - 1
}
