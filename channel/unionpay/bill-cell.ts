import { BillBroken } from '../bill.ts'
import { decodeText } from '../form.ts'

/** Where a column stands in a record: bytes, the first is 0, the last is not part of it. */
interface Span {
  readonly from: number
  readonly to: number
}

/** Columns of fixed width, one blank between two of them (UnionPay dossier, section 5.3). */
export interface Layout<Column extends string> {
  readonly spans: ReadonlyMap<Column, Span>
  /** A record may be longer: its tail is cut in several ways, and we read none of it. */
  readonly bytesMin: number
}

export function layoutOf<Column extends string>(
  widths: readonly (readonly [Column, number])[],
): Layout<Column> {
  const spans = new Map<Column, Span>()
  let from = 0
  for (const [column, width] of widths) {
    spans.set(column, { from, to: from + width })
    from += width + 1
  }
  return { spans, bytesMin: from - 1 }
}

const BLANK = 0x20
const LEAD_BYTE_MIN = 0x81
const NOT_ASCII = /[\x80-\xff]/
const DIGITS = /^\d+$/
const SIGNED = /^[CD ]\d+$/

/**
 * One record, cut by its bytes and never by characters: a name in Chinese has two bytes for each.
 *
 * It is looked at whole before any value is: its length, the blanks between columns, and the charset of each
 * column. So a column that has lost or won a byte is found, whichever it is.
 */
export class Cells<Column extends string> {
  readonly line: number
  readonly #layout: Layout<Column>
  readonly #bytes: Uint8Array
  /** One character for each byte. */
  readonly #text: string

  constructor(layout: Layout<Column>, bytes: Uint8Array, line: number) {
    this.line = line
    this.#layout = layout
    this.#bytes = bytes
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    if (bytes.length < layout.bytesMin) {
      const reason = `expected a record of at least ${layout.bytesMin} bytes, found ${bytes.length}`
      throw new BillBroken(reason, line)
    }
    const isPlain = !NOT_ASCII.test(this.#text)
    for (const [column, { to }] of layout.spans) {
      if (to < bytes.length && bytes[to] !== BLANK) throw this.broken(column, 'no blank behind it')
      if (!isPlain && NOT_ASCII.test(this.#raw(column))) this.text(column)
    }
  }

  /** A value without the blanks around it, in any language. */
  text(column: Column): string {
    const { from, to } = this.#spanOf(column)
    const bytes = this.#bytes.subarray(from, to)
    const text = decodeText(bytes, 'gbk') ?? decodeText(withoutHalf(bytes), 'gbk')
    if (text === undefined) throw this.broken(column, 'expected GBK')
    return text.trim()
  }

  /** A number or a code without the blanks around it. */
  at(column: Column): string {
    return this.#raw(column).trim()
  }

  /** An amount of fen, filled up with zeros from the left. */
  fen(column: Column): bigint {
    const text = this.#raw(column)
    if (!DIGITS.test(text)) throw this.broken(column, `expected digits, found "${text}"`)
    return BigInt(text)
  }

  /**
   * Fen behind `C`, which the merchant gets, or `D`, which he pays and which is negative here; nothing behind a
   * blank (UnionPay dossier, section 5.3).
   */
  signedFen(column: Column): bigint {
    const text = this.#raw(column)
    const isGood = SIGNED.test(text)
    const fen = isGood ? BigInt(text.slice(1)) : 0n
    if (!isGood || (text.startsWith(' ') && fen !== 0n)) {
      throw this.broken(column, `expected C or D and digits, found "${text}"`)
    }
    return text.startsWith('D') ? -fen : fen
  }

  broken(column: Column, reason: string): BillBroken {
    return new BillBroken(reason, this.line, column)
  }

  #raw(column: Column): string {
    const { from, to } = this.#spanOf(column)
    return this.#text.slice(from, to)
  }

  #spanOf(column: Column): Span {
    const span = this.#layout.spans.get(column)
    if (span === undefined) throw this.broken(column, 'the layout has no such column')
    return span
  }
}

/**
 * The vendor takes the first 32 bytes of a merchant's text, whose last one may then be half a character (UnionPay
 * dossier, section 5.3, column 35). Anywhere else half a character is an error.
 */
function withoutHalf(bytes: Uint8Array): Uint8Array {
  const last = bytes.at(-1) ?? BLANK
  return last >= LEAD_BYTE_MIN ? bytes.subarray(0, -1) : bytes
}

const MOMENT = /^(\d{2}\d{2})([01]\d|2[0-3])([0-5]\d)([0-5]\d)$/

/**
 * Reads `MMddHHmmss` of Beijing as RFC 3339.
 *
 * No year is printed, so it is the one that lies nearest to the business day (payment rules, section 8): the file
 * of 1 January begins on 31 December at 23:00.
 */
export class MomentReader {
  readonly #businessMs: number
  readonly #year: number
  readonly #days = new Map<string, string>()

  constructor(businessDate: string) {
    this.#businessMs = Date.parse(`${businessDate}T00:00:00Z`)
    this.#year = new Date(this.#businessMs).getUTCFullYear()
  }

  /** `undefined` for no moment. */
  read(text: string): string | undefined {
    const [, day = '', hour, minute, second] = MOMENT.exec(text) ?? []
    const date = day === '' ? undefined : this.#dateOf(day)
    return date === undefined ? undefined : `${date}T${hour}:${minute}:${second}+08:00`
  }

  #dateOf(day: string): string | undefined {
    const known = this.#days.get(day)
    if (known !== undefined) return known
    const date = [this.#year - 1, this.#year, this.#year + 1]
      .map((year) => `${year}-${day.slice(0, 2)}-${day.slice(2)}`)
      .filter(isDate)
      .toSorted((a, b) => this.#awayMs(a) - this.#awayMs(b))[0]
    if (date !== undefined) this.#days.set(day, date)
    return date
  }

  #awayMs(date: string): number {
    return Math.abs(Date.parse(`${date}T00:00:00Z`) - this.#businessMs)
  }
}

function isDate(text: string): boolean {
  const moment = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(text)
}
