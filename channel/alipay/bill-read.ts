import { createReadStream } from 'node:fs'
import { addDays } from '#domain/business-day'
import { BillBroken } from '../bill.ts'
import type { BillFile, BillKind, BillLine } from '../bill.ts'
import { readHeader } from '../bill-column.ts'
import { TextLines } from '../bill-text.ts'
import type { TextLine } from '../bill-text.ts'
import { shown } from '../bill-value.ts'
import { openZip } from '../zip.ts'
import { Adder, cutRow, expectTotal } from './bill-cell.ts'
import type { BillForm, DetailLayout, Owner, SummaryLayout, Total } from './bill-cell.ts'
import { transactionForm } from './wire-bill.ts'
import { fundForm } from './wire-fund.ts'

/** The first bytes of a zip with members, which no text of a bill begins with. */
export const ZIP_MAGIC = [0x50, 0x4b, 0x03, 0x04] as const
const RAW_PIECE_BYTES = 256 * 1024

type Pieces = AsyncIterable<Uint8Array>

const FORMS: Readonly<Record<BillKind, BillForm>> = { transaction: transactionForm, fund: fundForm }

/** Reads a raw bill: the archive that the vendor sends, or the detail unpacked by a person. */
export async function* readBill(
  { path, bytes, businessDate }: BillFile,
  kind: BillKind,
  sellerId: string,
): AsyncGenerator<readonly BillLine[]> {
  const bill = new BillTables(FORMS[kind], { sellerId, businessDate })
  const head = new Uint8Array(await Bun.file(path).slice(0, ZIP_MAGIC.length).arrayBuffer())
  if (ZIP_MAGIC.every((byte, at) => head[at] === byte)) {
    await using archive = await openZip(path, bytes)
    for (const member of archive.members) yield* readMember(bill, member.pieces())
    bill.endArchive()
    return
  }
  const raw = createReadStream(path, { highWaterMark: RAW_PIECE_BYTES })
  try {
    yield* readMember(bill, raw)
    bill.endDetail()
  } finally {
    raw.destroy()
  }
}

/** Reads one detail's text, wherever its pieces are cut. */
export async function* readText(
  pieces: Pieces,
  kind: BillKind,
  owner: Owner,
): AsyncGenerator<readonly BillLine[]> {
  const bill = new BillTables(FORMS[kind], owner)
  yield* readMember(bill, pieces)
  bill.endDetail()
}

/** Alipay dossier, section 6.2: GBK, or UTF-8 with a mark. */
async function* readMember(bill: BillTables, pieces: Pieces): AsyncGenerator<readonly BillLine[]> {
  const member = new MemberReader(bill)
  const text = new TextLines('gb18030 or mark', (line) => member.take(line))
  for await (const piece of pieces) {
    text.push(piece)
    if (member.hasLines()) yield member.handOver()
  }
  text.end()
  if (member.hasLines()) yield member.handOver()
  member.end()
}

/** A bill over all its members. */
class BillTables {
  readonly form: BillForm
  readonly owner: Owner
  /** What all details together add up to. */
  readonly sums = new Adder([])
  details = 0
  /** Lines of the details before: a line number is unique in its bill. */
  lines = 0
  summary: SummaryLayout | undefined

  constructor(form: BillForm, owner: Owner) {
    this.form = form
    this.owner = owner
  }

  endDetail(): void {
    if (this.details === 0) throw new BillBroken('expected the detail, found none')
  }

  /** Alipay dossier, section 6.2: the archive holds the detail and its summary. */
  endArchive(): void {
    this.endDetail()
    if (this.summary === undefined) throw new BillBroken('expected a summary, found none')
    this.summary.expectSums(this.sums.sums)
  }
}

const COMMENT = '#'
/** What spreadsheets and some files put behind a line. */
const PADDING = /[,\s]+$/

/**
 * One member: a title, comments, a header, rows, comments (Alipay dossier, sections 6.3 to 6.6).
 *
 * The title says which table it is; the member's name says nothing.
 */
class MemberReader {
  readonly #bill: BillTables
  #title: 'detail' | 'summary' | undefined
  #detail: DetailLayout | undefined
  #summary: SummaryLayout | undefined
  #lines: BillLine[] = []
  #columns = 0
  #isClosed = false
  readonly #seen = new Set<string>()
  #number = 0

  constructor(bill: BillTables) {
    this.#bill = bill
  }

  take({ text, from, to, number }: TextLine): void {
    this.#number = number
    const line = text.slice(from, to)
    if (this.#title === undefined) return this.#openMember(line.replace(PADDING, ''))
    if (line.startsWith(COMMENT)) return this.#readComment(line.replace(PADDING, ''))
    if (line.replace(PADDING, '') === '') return this.#close()
    if (this.#columns === 0) return this.#openTable(line)
    if (this.#isClosed) throw this.#broken('a row behind the end of the rows')
    const row = cutRow(line, this.#columns, number)
    this.#summary?.readLine(row)
    if (this.#detail === undefined) return
    const read = this.#detail.readLine(row)
    this.#lines.push({ ...read, line: this.#bill.lines + read.line })
  }

  hasLines(): boolean {
    return this.#lines.length > 0
  }

  handOver(): readonly BillLine[] {
    const lines = this.#lines
    this.#lines = []
    return lines
  }

  end(): void {
    if (this.#columns === 0) throw this.#broken('it ends before its columns')
    if (this.#summary !== undefined) return
    const missing = this.#detail?.totals.find(({ word }) => !this.#seen.has(word))
    if (missing !== undefined) throw this.#broken('it ends before its total', missing.word)
    this.#bill.lines += this.#number
    this.#bill.sums.addAll(this.#detail?.sums() ?? new Map())
  }

  #openMember(title: string): void {
    const { detailTitle, summaryTitle } = this.#bill.form
    if (title !== detailTitle && title !== summaryTitle) {
      throw this.#broken(`expected ${detailTitle} or its summary, found "${shown(title)}"`)
    }
    this.#title = title === detailTitle ? 'detail' : 'summary'
    if (this.#title === 'detail') this.#bill.details += 1
  }

  #openTable(text: string): void {
    this.#expectOwner()
    const header = readHeader(text.replace(/[\t ]/g, ''), this.#number)
    this.#columns = header.length
    const { form, summary } = this.#bill
    if (this.#title === 'detail') {
      this.#detail = form.openDetail(header, this.#number)
      return
    }
    if (summary !== undefined) throw this.#broken('a second summary')
    this.#summary = this.#bill.summary = form.openSummary(header, this.#number)
  }

  /** Rows of which nobody says whose they are, and of which day, are nobody's. */
  #expectOwner(): void {
    const missing = [ACCOUNT, PERIOD].find((word) => !this.#seen.has(word))
    if (missing !== undefined) throw this.#broken('the line is missing', missing)
  }

  #readComment(text: string): void {
    if (this.#columns === 0) return this.#readHead(text)
    this.#close()
    const totals = this.#detail?.totals ?? []
    const total = totals.find(({ word }) => text.startsWith(COMMENT + word))
    if (total !== undefined) this.#readTotal(text, total)
  }

  #readTotal(text: string, total: Total): void {
    if (this.#seen.has(total.word)) throw this.#broken('a total that comes twice', total.word)
    this.#seen.add(total.word)
    expectTotal(text, total, { sums: this.#detail?.sums() ?? new Map(), line: this.#number })
  }

  #readHead(text: string): void {
    const { sellerId, businessDate } = this.#bill.owner
    if (text.startsWith(COMMENT + ACCOUNT)) {
      this.#seen.add(ACCOUNT)
      const [found = ''] = bracketed(text)
      // Behind the number of the merchant stands that of his account (dossier, section 6.2).
      if (!found.startsWith(sellerId)) {
        throw this.#broken(`expected merchant ${sellerId}, found "${shown(found)}"`, ACCOUNT)
      }
    }
    if (text.startsWith(COMMENT + PERIOD)) {
      this.#seen.add(PERIOD)
      const expected = periodOf(businessDate).join(' to ')
      const found = bracketed(text).join(' to ')
      // The file of another day is sound in itself; a person may have uploaded it.
      if (found !== expected) {
        throw this.#broken(`expected ${expected}, found "${found.slice(0, 80)}"`, PERIOD)
      }
    }
  }

  #close(): void {
    if (this.#columns > 0) this.#isClosed = true
  }

  #broken(reason: string, column = ''): BillBroken {
    return new BillBroken(reason, this.#number, column)
  }
}

const ACCOUNT = '账号'
const PERIOD = '起始日期'

const bracketed = (text: string): readonly string[] =>
  Array.from(text.matchAll(/\[([^\]]*)\]/g), ([, value = '']) => value)

const MONTH_CHARACTERS = 7

/** From the first moment to the first after the last, in the vendor's words: of a day, or of a month. */
function periodOf(businessDate: string): readonly string[] {
  const isMonth = businessDate.length === MONTH_CHARACTERS
  const from = isMonth ? `${businessDate}-01` : businessDate
  const to = isMonth ? `${addDays(from, 31).slice(0, MONTH_CHARACTERS)}-01` : addDays(from, 1)
  return [from, to].map((date) => {
    const [year, month, day] = date.split('-')
    return `${year}年${month}月${day}日 00:00:00`
  })
}
