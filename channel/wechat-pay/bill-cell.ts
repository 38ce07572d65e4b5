import { parseUnits } from '#domain/decimal'
import { BillBroken } from '../bill.ts'
import type { BillLine } from '../bill.ts'
import { FEN_DECIMALS, shown } from '../bill-value.ts'

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

const NOTHING = '0.00'

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
