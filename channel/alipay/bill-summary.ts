import { formatUnits, parseUnits } from '#domain/decimal'
import { BillBroken } from '../bill.ts'
import { findColumn, needColumn } from '../bill-column.ts'
import { shown } from '../bill-value.ts'
import type { Row, Sums, SummaryLayout } from './bill-cell.ts'

/** A column of a summary that is added up. */
export interface SummaryColumn {
  readonly name: string
  readonly decimals: 0 | 2
  /** The sums that its last value may be; none where it is not documented what it is. */
  readonly says: readonly string[]
  readonly isRequired: boolean
}

interface OpenColumn extends SummaryColumn {
  readonly column: number
  sum: bigint
}

const LAST = '合计'

/**
 * The other member of a bill: a row for each shop or type, and a last row of all (Alipay dossier, sections
 * 6.4 and 6.6).
 */
export class SummaryTable implements SummaryLayout {
  readonly #columns: readonly OpenColumn[]
  #totals: ReadonlyMap<string, bigint> | undefined

  constructor(columns: readonly SummaryColumn[], header: readonly string[], line: number) {
    this.#columns = columns
      .map((column) => ({
        ...column,
        sum: 0n,
        column: column.isRequired
          ? needColumn(header, [column.name], line)
          : findColumn(header, [column.name]),
      }))
      .filter(({ column }) => column >= 0)
  }

  readLine(row: Row): void {
    if (this.#totals !== undefined) throw broken('goes on after its last row', row.line)
    const isLast = row.at(0) === LAST
    const totals = new Map<string, bigint>()
    for (const column of this.#columns) {
      const value = readValue(row, column)
      if (!isLast) column.sum += value
      else if (value === column.sum) totals.set(column.name, value)
      else throw differs(column, [column.sum], value)
    }
    if (isLast) this.#totals = totals
  }

  expectSums(sums: Sums): void {
    if (this.#totals === undefined) throw broken(`ends before its row ${LAST}`)
    for (const column of this.#columns) {
      const found = this.#totals.get(column.name) ?? 0n
      const expected = column.says.map((name) => sums.get(name) ?? 0n)
      if (expected.length > 0 && !expected.includes(found)) throw differs(column, expected, found)
    }
  }
}

function readValue(row: Row, { column, decimals, name }: OpenColumn): bigint {
  const value = parseUnits(row.at(column), decimals)
  if (value !== undefined) return value
  throw broken(`expected a number, found "${shown(row.at(column))}"`, row.line, name)
}

function differs(column: OpenColumn, expected: readonly bigint[], found: bigint): BillBroken {
  const { decimals, name } = column
  const text = (value: bigint): string =>
    decimals === 0 ? String(value) : formatUnits(value, decimals)
  return broken(`says ${text(found)}, the lines are ${expected.map(text).join(' or ')}`, 0, name)
}

const broken = (reason: string, line = 0, column = ''): BillBroken =>
  new BillBroken(
    `the summary ${reason}${line === 0 && column !== '' ? `: ${column}` : ''}`,
    line,
    column,
  )
