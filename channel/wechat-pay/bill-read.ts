import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import type { Gunzip } from 'node:zlib'
import { formatUnits, parseUnits } from '#domain/decimal'
import { BillBroken, isBomb } from '../bill.ts'
import type { BillFile, BillKind, BillLine } from '../bill.ts'
import { readHeader } from '../bill-column.ts'
import { TextLines } from '../bill-text.ts'
import type { TextLine } from '../bill-text.ts'
import { SUM_DECIMALS, shown } from '../bill-value.ts'
import { Cells } from './bill-cell.ts'
import type { BillForm, BillLayout, Owner } from './bill-cell.ts'
import { transactionForm } from './wire-bill.ts'
import { fundForm } from './wire-fund.ts'

/** The first bytes of gzip (RFC 1952), which no text in UTF-8 has. */
const GZIP_MAGIC = [0x1f, 0x8b] as const
const RAW_PIECE_BYTES = 256 * 1024
/**
 * Some hundred lines: large enough that the work for each piece is nothing, and small enough that most of what is made
 * of it is gone when the collector of garbage looks; what is not grows old.
 */
const PIECE_BYTES = 128 * 1024

type Pieces = AsyncIterable<Uint8Array>

/** Reads a raw bill: the gzip file that the vendor sends, or the same text unpacked by a person. */
export const readBill = (
  file: BillFile,
  kind: BillKind,
  mchid: string,
): AsyncGenerator<readonly BillLine[]> =>
  readText(openFile(file), kind, { mchid, businessDate: file.businessDate })

/** Unpacks once and never what was packed inside: that is no text, and so it is refused. */
async function* openFile({ path, bytes: rawBytes }: BillFile): Pieces {
  const head = new Uint8Array(await Bun.file(path).slice(0, GZIP_MAGIC.length).arrayBuffer())
  const raw = createReadStream(path, { highWaterMark: RAW_PIECE_BYTES })
  const isPacked = GZIP_MAGIC.every((byte, at) => head[at] === byte)
  try {
    yield* isPacked ? unpack(raw, rawBytes) : raw
  } finally {
    raw.destroy()
  }
}

async function* unpack(raw: ReturnType<typeof createReadStream>, rawBytes: number): Pieces {
  const gunzip = newGunzip()
  // A pipe does not hand on errors.
  raw.once('error', (error) => gunzip.destroy(error))
  let bytes = 0
  try {
    for await (const piece of raw.pipe(gunzip)) {
      bytes += piece.length
      if (isBomb(bytes, rawBytes)) throw new BillBroken(`${rawBytes} bytes expand like a bomb`)
      yield piece
    }
  } catch (error) {
    // What is wrong with gzip is wrong with the bill; trouble with this machine's disk is not.
    throw isGzipError(error) ? new BillBroken(`gzip: ${error.message}`) : error
  } finally {
    gunzip.destroy()
  }
}

export const newGunzip = (): Gunzip => createGunzip({ chunkSize: PIECE_BYTES })

const isGzipError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')

/** Reads the text of a bill, wherever its pieces are cut. */
export async function* readText(
  pieces: Pieces,
  kind: BillKind,
  owner: Owner,
): AsyncGenerator<readonly BillLine[]> {
  const bill = new BillSections(kind === 'fund' ? fundForm : transactionForm, owner)
  const text = new TextLines('utf-8', (line) => bill.take(line))
  for await (const piece of pieces) {
    text.push(piece)
    if (bill.hasLines()) yield bill.handOver()
  }
  text.end()
  if (bill.hasLines()) yield bill.handOver()
  bill.end()
}

/** WeChat Pay dossier, section 6.6: a header, rows, the header of the summary, the summary, and nothing more. */
class BillSections {
  readonly #form: BillForm
  readonly #owner: Owner
  readonly #cells = new Cells()
  #lines: BillLine[] = []
  #columns = 0
  #layout: BillLayout | undefined
  #summary: readonly string[] | undefined
  #isSummed = false
  #isOfDay: boolean | undefined
  #number = 0

  constructor(form: BillForm, owner: Owner) {
    this.#form = form
    this.#owner = owner
  }

  take({ text, from, to, number }: TextLine): void {
    this.#number = number
    if (this.#layout === undefined) return this.#open(text.slice(from, to))
    if (this.#isSummed) return this.#expectNothing(text.slice(from, to))
    const count = this.#cells.cut(text, from, to)
    if (count === 0) return this.#openSummary(text.slice(from, to))
    if (this.#summary !== undefined) return this.#closeSummary(this.#layout, this.#summary, count)
    this.#expectValues(this.#columns, count)
    const line = this.#layout.readLine(this.#cells, number)
    this.#isOfDay ||= line.at.startsWith(this.#owner.businessDate)
    this.#lines.push(line)
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
    if (!this.#isSummed) throw this.#broken('the bill ends before its summary')
    // The file of another day is sound in itself; a person may have uploaded it.
    if (this.#isOfDay === false) throw new BillBroken(`no line is of ${this.#owner.businessDate}`)
  }

  #open(text: string): void {
    const header = readHeader(text, this.#number)
    this.#columns = header.length
    this.#layout = this.#form.open(header, this.#owner)
  }

  #openSummary(text: string): void {
    if (this.#summary !== undefined || !text.startsWith(this.#form.summaryWord)) {
      throw this.#broken(`expected a backtick or the summary, found "${shown(text)}"`)
    }
    this.#summary = readHeader(text, this.#number)
    for (const word of this.#layout?.requiredSums ?? []) {
      if (!this.#summary.includes(word)) throw this.#broken('the sum is missing', word)
    }
  }

  /** The vendor's sums against those of the lines: whatever is missing or changed shows here. */
  #closeSummary(layout: BillLayout, summary: readonly string[], count: number): void {
    this.#expectValues(summary.length, count)
    const sums = layout.sums()
    for (const [column, word] of summary.entries()) {
      const ours = sums.get(word)
      const text = this.#cells.at(column)
      if (ours !== undefined && parseUnits(text, SUM_DECIMALS) !== ours) {
        const total = formatUnits(ours, SUM_DECIMALS)
        throw this.#broken(`the lines add up to ${total}, the summary says "${shown(text)}"`, word)
      }
    }
    this.#isSummed = true
  }

  #expectValues(expected: number, found: number): void {
    if (found !== expected) throw this.#broken(`expected ${expected} values, found ${found}`)
  }

  #expectNothing(text: string): void {
    if (text !== '') throw this.#broken('the bill goes on after its summary')
  }

  #broken(reason: string, column = ''): BillBroken {
    return new BillBroken(reason, this.#number, column)
  }
}
