import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { BILL_LIMITS, BillBroken } from '../bill.ts'
import type { BillFile, BillKind, BillLine } from '../bill.ts'
import { JSON_BYTES_MAX } from '../json.ts'
import { LISTS, readBillPage } from './wire-bill.ts'
import type { BillOwner, BillRow, List } from './wire-bill.ts'

/**
 * The raw form of a day. Ping++ has no file of a day, so this is ours; what the vendor said stands in it byte
 * for byte, with the vendor's signature over these bytes.
 *
 * A head, pages, an end; every line ends in LF, and so does every body:
 *
 *     pingpp-lists 1 <app> <live or test> <yyyy-mm-dd>
 *     page <paid, refunded or refunds> <bytes of the body> <signature, or -> <path and query asked>
 *     <body>
 *     end <payments> <their fen> <refunds> <their fen> <others> <their fen> <SHA-256 of all before this line>
 *
 * Only pages with something of the day are kept. The figures are what a second reading of the lists counted.
 */
const FORM = 'pingpp-lists 1'
const END = 'end'
const LF = 0x0a

export const writeHead = ({ app, mode, businessDate }: BillOwner): Uint8Array =>
  Buffer.from(`${FORM} ${app} ${mode} ${businessDate}\n`)

export interface RawPage {
  readonly list: List
  readonly target: string
  readonly body: Uint8Array
  readonly signature: string
}

export const writePage = ({ list, target, body, signature }: RawPage): Uint8Array =>
  Buffer.concat([
    Buffer.from(`page ${list} ${body.length} ${signature || '-'} ${target}\n`),
    body,
    Buffer.of(LF),
  ])

export const writeEnd = (totals: DayTotals, sha256: string): Uint8Array =>
  Buffer.from(`${END} ${totals.describe()} ${sha256}\n`)

const COUNTED = ['payment', 'refund', 'other'] as const

/** How many rows of a kind there are, and their sum. */
export class DayTotals {
  readonly #counts = new Map<string, { readonly rows: number; readonly fen: bigint }>()

  add(rows: readonly BillRow[]): void {
    for (const { kind, amountMinor } of rows) {
      const { rows: count, fen } = this.#of(kind)
      this.#counts.set(kind, { rows: count + 1, fen: fen + amountMinor })
    }
  }

  /** As the end of a file has it. */
  describe(): string {
    return COUNTED.map((kind) => `${this.#of(kind).rows} ${this.#of(kind).fen}`).join(' ')
  }

  isEmpty(): boolean {
    return this.#counts.size === 0
  }

  #of(kind: string): { readonly rows: number; readonly fen: bigint } {
    return this.#counts.get(kind) ?? { rows: 0, fen: 0n }
  }
}

const RAW_PIECE_BYTES = 256 * 1024

type Pieces = AsyncIterable<Uint8Array>

/** Reads what `fetchBill` wrote, or a person took over. */
export async function* readBill(
  { path }: BillFile,
  kind: BillKind,
  owner: BillOwner,
): AsyncGenerator<readonly BillLine[]> {
  if (kind !== 'transaction') throw new BillBroken(`Ping++ has no ${kind} bill`)
  const raw = createReadStream(path, { highWaterMark: RAW_PIECE_BYTES })
  try {
    yield* readPieces(raw, owner)
  } finally {
    raw.destroy()
  }
}

/** Reads a raw day, wherever its pieces are cut. */
export async function* readPieces(
  pieces: Pieces,
  owner: BillOwner,
): AsyncGenerator<readonly BillLine[]> {
  const day = new DayReader(owner)
  for await (const piece of pieces) {
    day.push(piece)
    const lines = day.handOver()
    if (lines.length > 0) yield lines
  }
  day.end()
}

interface Awaited {
  readonly list: List
  readonly bytes: number
}

/** One raw day being read: it holds at most one page and one piece. */
class DayReader {
  readonly #owner: BillOwner
  readonly #totals = new DayTotals()
  readonly #targets = new Set<string>()
  readonly #hash = createHash('sha256')
  #rest: Uint8Array = new Uint8Array()
  #isOpen = false
  #isEnded = false
  #body: Awaited | undefined
  #lines: BillLine[] = []
  #count = 0

  constructor(owner: BillOwner) {
    this.#owner = owner
  }

  push(piece: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    while (this.#takeNext()) {
      // Until what is left is the beginning of something.
    }
  }

  handOver(): readonly BillLine[] {
    const lines = this.#lines
    this.#lines = []
    return lines
  }

  end(): void {
    if (!this.#isEnded) throw this.#broken('the bill ends before its end')
  }

  #takeNext(): boolean {
    if (this.#isEnded && this.#rest.length > 0) throw this.#broken('the bill goes on after its end')
    return this.#body === undefined ? this.#takeLine() : this.#takeBody(this.#body)
  }

  #takeLine(): boolean {
    const at = this.#rest.indexOf(LF)
    const length = at < 0 ? this.#rest.length : at
    if (length > BILL_LIMITS.lineBytesMax) throw this.#broken('a line is too long')
    if (at < 0) return false
    const text = Buffer.from(this.#rest.subarray(0, at)).toString('latin1')
    if (this.#isOpen && text.startsWith(`${END} `)) {
      this.#close(text.slice(END.length + 1))
      this.#rest = this.#rest.subarray(at + 1)
      return true
    }
    this.#pass(at + 1)
    if (this.#isOpen) this.#openPage(text)
    else this.#open(text)
    return true
  }

  #pass(bytes: number): void {
    this.#hash.update(this.#rest.subarray(0, bytes))
    this.#rest = this.#rest.subarray(bytes)
  }

  #open(text: string): void {
    const expected = Buffer.from(writeHead(this.#owner)).toString('latin1').trimEnd()
    if (text !== expected) throw this.#broken(`expected "${expected}", found "${shown(text)}"`)
    this.#isOpen = true
  }

  #openPage(text: string): void {
    const match = PAGE.exec(text)
    const list = LISTS.find((one) => one === match?.[1])
    const bytes = Number(match?.[2])
    const target = match?.[3] ?? ''
    if (list === undefined) throw this.#broken(`expected a page or the end, found "${shown(text)}"`)
    if (bytes > JSON_BYTES_MAX) throw this.#broken(`expected at most ${JSON_BYTES_MAX} bytes`)
    if (this.#targets.has(target)) throw this.#broken('the page is there twice')
    this.#targets.add(target)
    this.#body = { list, bytes }
  }

  #takeBody({ list, bytes }: Awaited): boolean {
    if (this.#rest.length <= bytes) return false
    if (this.#rest[bytes] !== LF) throw this.#broken('the body is longer than it says')
    const rows = this.#readPage(list, this.#rest.subarray(0, bytes))
    this.#pass(bytes + 1)
    this.#body = undefined
    this.#totals.add(rows)
    for (const row of rows) this.#lines.push({ line: (this.#count += 1), ...row })
    return true
  }

  #readPage(list: List, body: Uint8Array): readonly BillRow[] {
    try {
      return readBillPage(list, body, this.#owner).rows
    } catch (error) {
      throw error instanceof BillBroken ? this.#broken(error.message) : error
    }
  }

  /** The figures say more to a person than the hash, so they are compared first. */
  #close(stated: string): void {
    const cut = stated.lastIndexOf(' ')
    const found = this.#totals.describe()
    if (stated.slice(0, cut) !== found) {
      throw this.#broken(`the rows add up to "${found}", the end says "${shown(stated)}"`)
    }
    if (stated.slice(cut + 1) !== this.#hash.digest('hex')) {
      throw this.#broken('the bytes have not the SHA-256 that the end says')
    }
    this.#isEnded = true
  }

  /** By pages: a body is one line however long, and a row stands somewhere within it. */
  #broken(reason: string): BillBroken {
    const { size } = this.#targets
    return new BillBroken(size === 0 ? reason : `page ${size}: ${reason}`)
  }
}

const PAGE = /^page ([a-z]+) (\d{1,9}) [\w+/=-]{1,2048} (\/[\x21-\x7e]+)$/
const SHOWN_CHARACTERS = 80

const shown = (text: string): string => text.slice(0, SHOWN_CHARACTERS)
