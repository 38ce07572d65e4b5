import type { Charset } from './charset.ts'
import { decode, encode } from './charset.ts'

/** One field of a query or a form, percent-decoded but not yet read in a charset. */
export interface RawField {
  readonly name: Buffer
  readonly value: Buffer
}

/** Splits a query or a form once; `+` is a blank. */
export function splitForm(text: string): readonly RawField[] {
  return text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=')
      const [name, value] =
        equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)]
      return { name: percentDecode(name), value: percentDecode(value) }
    })
}

/** The value of a field with an ASCII name and value, like `charset`. */
export const asciiField = (fields: readonly RawField[], name: string): string | undefined =>
  fields.find((field) => field.name.toString('latin1') === name)?.value.toString('latin1')

/** The fields as text. `undefined`: a name stands there twice. */
export function readFields(
  fields: readonly RawField[],
  charset: Charset,
): ReadonlyMap<string, string> | undefined {
  const read = new Map<string, string>()
  for (const { name, value } of fields) {
    const text = decode(name, charset)
    if (read.has(text)) return undefined
    read.set(text, decode(value, charset))
  }
  return read
}

/** Form-encodes as Java does: in the charset's bytes, a blank as `+`. */
export const encodeForm = (fields: Iterable<readonly [string, string]>, charset: Charset): string =>
  [...fields]
    .map(([name, value]) => `${percentEncode(name, charset)}=${percentEncode(value, charset)}`)
    .join('&')

function percentDecode(text: string): Buffer {
  const bytes: number[] = []
  const source = Buffer.from(text)
  for (let index = 0; index < source.length; index += 1) {
    const byte = source[index] ?? 0
    const hex = source.toString('latin1', index + 1, index + 3)
    if (byte === 0x25 && /^[0-9a-f]{2}$/i.test(hex)) {
      bytes.push(Number.parseInt(hex, 16))
      index += 2
    } else {
      bytes.push(byte === 0x2b ? 0x20 : byte)
    }
  }
  return Buffer.from(bytes)
}

const PLAIN = /[A-Za-z0-9.*_-]/

function percentEncode(text: string, charset: Charset): string {
  let encoded = ''
  for (const byte of encode(text, charset)) {
    const character = String.fromCharCode(byte)
    if (PLAIN.test(character)) encoded += character
    else if (byte === 0x20) encoded += '+'
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}
