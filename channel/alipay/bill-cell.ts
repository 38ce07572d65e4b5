import { formatUnits, parseUnits } from '#domain/decimal'
import { BillBroken } from '../bill.ts'
import type { BillLine } from '../bill.ts'
import { FEN_DECIMALS, shown } from '../bill-value.ts'

/** Whose bill it must be. */
export interface Owner {
  readonly sellerId: string
  readonly businessDate: string
}

/** What rows add up to, by names of our own: counts, and signed fen as printed. */
export type Sums = ReadonlyMap<string, bigint>

/** One kind of bill: two tables in two members of one archive (Alipay dossier, section 6.2). */
export interface BillForm {
  /** With what the first line of its member begins; that of the other is longer or shorter. */
  readonly detailTitle: string
  readonly summaryTitle: string
  /** Both throw `BillBroken` for columns that are no layout of this kind. */
  openDetail(header: readonly string[], line: number): DetailLayout
  openSummary(header: readonly string[], line: number): SummaryLayout
}

export interface DetailLayout {
  /** What stands behind the rows, and must agree with them. */
  readonly totals: readonly Total[]
  readLine(row: Row): BillLine
  sums(): Sums
}

export interface SummaryLayout {
  readLine(row: Row): void
  /** Throws unless the last row agrees with those above it, and with all details. */
  expectSums(sums: Sums): void
}

/** One row of a table: no value has the blanks around it. */
export interface Row {
  /** 1-based, of its member. */
  readonly line: number
  at(column: number): string
}

/**
 * Cuts a row into as many values as the table has columns; throws when there are not so many.
 *
 * Alipay dossier, section 6.3: values end with tabs, so that spreadsheets keep long numbers. Whether a comma
 * within a value is quoted is not known. Quotes are read where the row has too many values without; what then
 * still has too many is refused, not guessed.
 */
export function cutRow(text: string, columns: number, line: number): Row {
  const plain = text.split(',')
  const cells = plain.length > columns ? cutQuoted(text) : plain
  if (cells.length !== columns) {
    throw new BillBroken(`expected ${columns} values, found ${cells.length}`, line)
  }
  return { line, at: (column) => cells[column]?.trim() ?? '' }
}

/** A comma, or a value in quotes up to the comma behind it. */
const CELL = /(?:^|,)(?:\s*"((?:[^"]|"")*)"\s*(?=,|$)|([^,]*))/g

/** As in RFC 4180, and a quote anywhere else is a character like others. */
const cutQuoted = (text: string): readonly string[] =>
  Array.from(text.matchAll(CELL), ([, quoted, plain = '']) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'),
  )

/** Signed yuan in fen. */
export function readYuan(row: Row, column: number, name: string): bigint {
  const fen = parseUnits(row.at(column), FEN_DECIMALS)
  if (fen !== undefined) return fen
  const found = shown(row.at(column))
  throw new BillBroken(`expected yuan with two decimals, found "${found}"`, row.line, name)
}

/** A line behind the rows that says what they add up to. */
export interface Total {
  /** With what it begins behind the mark of a comment. */
  readonly word: string
  /** The names of its count and of its amounts. */
  readonly count: string
  readonly amounts: readonly string[]
}

const COUNT = /^[：:](\d{1,18})笔/
const AMOUNT = /共(-?\d[\d.]*)元/g

/**
 * Compares a total with the rows; throws when it does not agree (Alipay dossier, section 6.3: full-width
 * punctuation; sections 6.3 and 6.5: what is compared).
 */
export function expectTotal(text: string, total: Total, { sums, line }: Found): void {
  const rest = text.slice(text.indexOf(total.word) + total.word.length)
  const amounts = Array.from(rest.matchAll(AMOUNT), ([, amount = '']) => amount)
  const count = parseUnits(COUNT.exec(rest)?.[1] ?? '', 0)
  const isCounted = count !== undefined && count === sums.get(total.count)
  const isSummed =
    amounts.length === total.amounts.length &&
    total.amounts.every(
      (name, at) => parseUnits(amounts[at] ?? '', FEN_DECIMALS) === sums.get(name),
    )
  if (isCounted && isSummed) return
  const ours = total.amounts.map((name) => formatUnits(sums.get(name) ?? 0n, FEN_DECIMALS))
  const rows = `${sums.get(total.count) ?? 0n} rows of ${ours.join(' and ')}`
  throw new BillBroken(`the lines are ${rows}, the total says "${shown(rest)}"`, line, total.word)
}

interface Found {
  readonly sums: Sums
  readonly line: number
}

/** Sums that grow. */
export class Adder {
  readonly #sums = new Map<string, bigint>()

  constructor(names: readonly string[]) {
    for (const name of names) this.#sums.set(name, 0n)
  }

  add(name: string, value: bigint): void {
    if (value !== 0n) this.#sums.set(name, (this.#sums.get(name) ?? 0n) + value)
  }

  addAll(sums: Sums): void {
    for (const [name, value] of sums) this.#sums.set(name, (this.#sums.get(name) ?? 0n) + value)
  }

  get sums(): Sums {
    return this.#sums
  }
}
