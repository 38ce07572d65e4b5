import { BillBroken } from '../bill.ts'
import type { BillLine } from '../bill.ts'

/** Whose bill it must be. */
export interface Owner {
  readonly mchid: string
  readonly businessDate: string
}

/** How one kind of bill is read. */
export interface BillForm {
  /** With what the header of the summary begins. */
  readonly summaryWord: string
  /** Throws `BillBroken` for columns that are no layout of this kind. */
  open(header: readonly string[], owner: Owner): BillLayout
}

/** One bill being read: what a row means, and what all rows add up to. */
export interface BillLayout {
  readLine(cells: Cells, line: number): BillLine
  /** By the summary's words, in units of 0.00001; only what the layout has columns for. */
  sums(): ReadonlyMap<string, bigint>
  /** Words that a summary must have. */
  readonly requiredSums: readonly string[]
}

const BACKTICK = 0x60
/** A comma and a backtick. */
const SEPARATOR_CHARACTERS = 2

/**
 * One line, cut into its values and not yet copied: a bill has 27 values in each of a million lines, and we
 * want ten.
 *
 * WeChat Pay dossier, section 6.6: a comma separates, nothing is quoted, one backtick stands before every
 * value. Both together separate here, so that a comma within a value does not.
 */
export class Cells {
  #text = ''
  readonly #cuts: number[] = []
  #count = 0

  /** Cuts the line from one position to another, and returns the number of values; 0 when it is no row. */
  cut(text: string, from: number, to: number): number {
    this.#text = text
    this.#count = 0
    if (text.charCodeAt(from) !== BACKTICK) return 0
    const cuts = this.#cuts
    cuts[0] = from + 1
    let count = 1
    for (let at = text.indexOf(',', from); at >= 0 && at < to; at = text.indexOf(',', at + 1)) {
      if (text.charCodeAt(at + 1) === BACKTICK) cuts[count++] = at + SEPARATOR_CHARACTERS
    }
    // As if another value followed: the end of the last one is found like all others.
    cuts[count] = to + SEPARATOR_CHARACTERS
    this.#count = count
    return count
  }

  /** The value of a column, empty for a column that the bill does not have. */
  at(column: number): string {
    if (column < 0 || column >= this.#count) return ''
    return this.#text.slice(this.#cuts[column], this.#endOf(column))
  }

  is(column: number, value: string): boolean {
    if (column < 0 || column >= this.#count) return false
    const from = this.#cuts[column] ?? 0
    const length = this.#endOf(column) - from
    return length === value.length && this.#text.startsWith(value, from)
  }

  #endOf(column: number): number {
    return (this.#cuts[column + 1] ?? 0) - SEPARATOR_CHARACTERS
  }
}

/** The names of the columns. Full-width brackets are the same name (dossier, section 6.8). */
export function readHeader(text: string, line: number): readonly string[] {
  const names = text.replaceAll('（', '(').replaceAll('）', ')').split(',')
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new BillBroken('a column is there twice', line, twice)
  return names
}

/** Where a column is, by the names that it may have; -1 for one that is not there. */
export function findColumn(header: readonly string[], names: readonly string[]): number {
  const name = names.find((one) => header.includes(one))
  return name === undefined ? -1 : header.indexOf(name)
}

/** As `findColumn`, for a column without which nothing can be read. */
export function needColumn(header: readonly string[], names: readonly string[]): number {
  const column = findColumn(header, names)
  if (column < 0) throw new BillBroken('the column is missing', 1, names.join(' or '))
  return column
}

/** Decimals that sums of bills are kept with: the fee has five. */
export const SUM_DECIMALS = 5
export const SUM_UNIT = 10n ** BigInt(SUM_DECIMALS)
/** Sums count 0.00001 yuan; amounts count fen. */
export const SUM_UNITS_PER_FEN = 1000n

const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const CHARACTERS_MAX = 20

/**
 * Reads a decimal as a whole number of its smallest unit; `undefined` for what is none, or would have to be
 * rounded. By characters, because each of a million lines has several decimals.
 */
export function parseUnits(text: string, decimals: number): bigint | undefined {
  const from = text.charCodeAt(0) === MINUS ? 1 : 0
  const dot = dotIn(text, from)
  if (dot === undefined || text.length > CHARACTERS_MAX) return undefined
  const places = text.length - dot - 1
  if (places > decimals) return undefined
  if (places < 0) return BigInt(text + '0'.repeat(decimals))
  const digits = text.slice(0, dot) + text.slice(dot + 1)
  return BigInt(places === decimals ? digits : digits + '0'.repeat(decimals - places))
}

/**
 * Where the dot of a decimal stands, behind the text when there is none; `undefined` when it is no decimal.
 * Like the amounts of our own interface it has digits on both sides, and no zero before other digits.
 */
function dotIn(text: string, from: number): number | undefined {
  let dot = text.length
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === DOT && dot === text.length) dot = at
    else if (code < ZERO || code > NINE) return undefined
  }
  const isZeroLed = dot - from > 1 && text.charCodeAt(from) === ZERO
  return dot === from || dot === text.length - 1 || isZeroLed ? undefined : dot
}

/** Writes what `parseUnits` reads, with all decimals. */
export function formatUnits(units: bigint, decimals: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

const NOTHING = '0.00'
const FEN_DECIMALS = 2

/**
 * An amount of yuan in fen; nothing where there is no such column. The direction is a word elsewhere: a minus
 * sign is no amount.
 */
export function readFen(cells: Cells, column: number, line: number): bigint {
  // Most amounts of a row are nothing.
  if (column < 0 || cells.is(column, NOTHING)) return 0n
  const text = cells.at(column)
  const fen = parseUnits(text, FEN_DECIMALS)
  if (fen === undefined || fen < 0n) {
    throw new BillBroken(`expected yuan with two decimals, found "${shown(text)}"`, line)
  }
  return fen
}

const MOMENT =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])) (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d$/
const DATE_CHARACTERS = 10

/** `yyyy-MM-dd HH:mm:ss` of Beijing as RFC 3339 (WeChat Pay dossier, section 6.7). */
export function readMoment(text: string, line: number): string {
  if (!MOMENT.test(text)) throw new BillBroken(`expected a time, found "${shown(text)}"`, line)
  return `${text.slice(0, DATE_CHARACTERS)}T${text.slice(DATE_CHARACTERS + 1)}+08:00`
}

const SHOWN_CHARACTERS = 40

/** Enough of a value to find it by. */
export const shown = (text: string): string => text.slice(0, SHOWN_CHARACTERS)
