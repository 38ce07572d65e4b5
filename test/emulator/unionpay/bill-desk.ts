import { deflateSync } from 'node:zlib'
import { plantInto } from '../core/bill-knobs.ts'
import { BillShelf } from '../core/bill-shelf.ts'
import type { FaultPanel } from '../core/knobs.ts'
import { writeZip } from '../core/zip.ts'
import type { ZipEntry } from '../core/zip.ts'
import type { Reply } from './answer.ts'
import type { BillWish } from './bill.ts'
import { billRows, rowShape } from './bill.ts'
import type { BillRow } from './bill-text.ts'
import { detailBytes, summaryBytes } from './bill-text.ts'
import type { ArchiveTrick, Knobs } from './knobs.ts'
import { clearingDayOf } from './moment.ts'
import type { Transaction } from './order.ts'
import type { Message } from './request.ts'

export interface BillDeskDeps {
  readonly books: () => readonly Transaction[]
  readonly panel: FaultPanel<Knobs>
  readonly now: () => Date
}

const DAY_MS = 24 * 3600 * 1000
/** Dossier 5.1: the production system has its files at nine of the next day. */
const READY_AFTER_MS = 9 * 3600 * 1000
const DAYS_MAX = 366
const BOMB_BYTES = 16 * 1024 * 1024
/** A first byte of GBK, with a blank where its second one was. */
const HALF_CHARACTER = 0xb2
/** Characters whose second byte is a bracket, a backslash, a bracket or a bar in ASCII. */
const EDGE_NAME = '乕乗乚亅门店'
const USUAL_NAME = '测试门店'
const SUB_MERCHANT_AT = 327
const RECORD_BYTES = 609
const NOTHING = new Uint8Array()
/** Unix: a link with all rights. */
const SYMLINK_MODE = 0o120777
const ENCRYPTED_FLAG = 1

/** Where merchants ask for files (dossier 5.1). A bill is made once and stays as it is. */
export class BillDesk {
  readonly #deps: BillDeskDeps
  readonly #shelf: BillShelf

  constructor(deps: BillDeskDeps) {
    this.#deps = deps
    this.#shelf = new BillShelf(deps.panel, deps.now)
  }

  /** The detail file of a day as of now, whatever the hour. */
  write(wish: BillWish): Uint8Array {
    return this.#damagedDetail(detailBytes(this.#rows(wish)))
  }

  ask({ fields }: Message): Reply {
    const { panel, now } = this.#deps
    const { merId = '', settleDate = '' } = fields
    const operation = 'file'
    const date = lastDayOf(settleDate, now())
    if (date === undefined) return { operation, code: '10' }
    const isMade = now().getTime() >= midnightAfter(date) + READY_AFTER_MS
    if (panel.take('billLate') || !isMade || panel.get().billEmpty) return noFile
    const wish = { merId, date }
    const key = `${merId}/${date}/${panel.get().billArchive}`
    const archive = this.#shelf.keep(key, () => this.#archive(wish))
    if (archive.length === 0) return noFile
    return { operation, code: '00', fields: this.#answer(wish, archive) }
  }

  #answer(wish: BillWish, archive: Uint8Array) {
    const isBomb = this.#deps.panel.take('billBomb')
    const packed = deflateSync(isBomb ? writeZip([bombOf(wish)]) : archive)
    const content = this.#shelf.damaged(Uint8Array.from(packed))
    return {
      settleDate: wish.date.slice(5).replace('-', ''),
      fileName: `${wish.merId}_${wish.date.replaceAll('-', '')}.zip`,
      fileContent: Buffer.from(content).toString('base64'),
    }
  }

  /** Dossier 5.2; none when nothing happened, unless the panel wants an empty file. */
  #archive(wish: BillWish): Uint8Array<ArrayBuffer> {
    const { billEmptyFile, billArchive } = this.#deps.panel.get()
    const rows = this.#rows(wish)
    if (rows.length === 0 && !billEmptyFile) return NOTHING
    const { dispute, detail, summary } = namesOf(wish)
    const first = { name: detail, content: this.#damagedDetail(detailBytes(rows)) }
    const rest = [
      { name: dispute, content: NOTHING },
      { name: summary, content: summaryBytes(rows) },
    ]
    return writeZip(TRICKS[billArchive](first, rest))
  }

  #rows(wish: BillWish): readonly BillRow[] {
    const { books, panel } = this.#deps
    const knobs = panel.get()
    const name = knobs.billCharset === 'edge' ? EDGE_NAME : USUAL_NAME
    const rows = plantInto(billRows(books(), wish, name), knobs, rowShape(wish))
    const numbered = rows.map((row) => ({
      ...row,
      orderId: knobs.billOtherNumber[row.orderId] ?? row.orderId,
    }))
    return this.#shelf.inOrder(numbered)
  }

  /** The last record's name in Chinese loses the second half of its first character. */
  #damagedDetail(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (this.#deps.panel.get().billCharset !== 'broken' || bytes.length === 0) return bytes
    const damaged = Uint8Array.from(bytes)
    damaged[bytes.length - RECORD_BYTES + SUB_MERCHANT_AT] = HALF_CHARACTER
    damaged[bytes.length - RECORD_BYTES + SUB_MERCHANT_AT + 1] = 0x20
    return damaged
  }
}

type Trick = (first: ZipEntry, rest: readonly ZipEntry[]) => readonly ZipEntry[]

const under = (place: string, { name }: ZipEntry): Uint8Array =>
  Buffer.concat([Buffer.from(place), name])

const ENTRIES_TOO_MANY = 1000

const TRICKS: Readonly<Record<ArchiveTrick, Trick>> = {
  plain: (first, rest) => [first, ...rest],
  parent: (first, rest) => [{ ...first, name: under('../../', first) }, ...rest],
  absolute: (first, rest) => [{ ...first, name: under('/tmp/', first) }, ...rest],
  backslash: (first, rest) => [{ ...first, name: under('..\\', first) }, ...rest],
  symlink: (first, rest) => [{ ...first, mode: SYMLINK_MODE }, ...rest],
  encrypted: (first, rest) => [{ ...first, flags: ENCRYPTED_FLAG }, ...rest],
  overlap: (first, rest) => [
    first,
    { ...first, name: Buffer.from('other'), isAlias: true },
    ...rest,
  ],
  twice: (first, rest) => [first, first, ...rest],
  bad_crc: (first, rest) => [{ ...first, crc: 1 }, ...rest],
  bad_size: (first, rest) => [{ ...first, size: first.content.length + 1 }, ...rest],
  many: (first, rest) => [
    first,
    ...rest,
    ...Array.from({ length: ENTRIES_TOO_MANY }, (_, index) => ({
      name: Buffer.from(`extra${index}`),
      content: NOTHING,
    })),
  ],
}

function namesOf({ merId, date }: BillWish) {
  const day = date.slice(2).replaceAll('-', '')
  return {
    detail: Buffer.from(`INN${day}88ZM_${merId}`),
    dispute: Buffer.from(`INN${day}88ZME_${merId}`),
    summary: Buffer.from(`RD2010${day}01_${merId}`),
  }
}

/** A thousandfold of nothing, honestly declared. */
const bombOf = (wish: BillWish): ZipEntry => ({
  name: namesOf(wish).detail,
  content: new Uint8Array(BOMB_BYTES),
})

/** Dossier 2.6. */
const noFile: Reply = { operation: 'file', code: '98', text: '文件不存在' }

const dateOf = (digits: string): string =>
  `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`

/** The last clearing day of that name that is over; `undefined`: there is none. */
function lastDayOf(settleDate: string, now: Date): string | undefined {
  const today = clearingDayOf(now)
  const year = Number(today.slice(0, 4))
  const candidates = [year, year - 1].map((one) => dateOf(`${one}${settleDate}`))
  return candidates.find((date) => {
    const moment = new Date(`${date}T00:00:00Z`)
    const isDay = !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(date)
    const isRecent = now.getTime() - moment.getTime() < DAYS_MAX * DAY_MS
    return isDay && date < dateOf(today) && isRecent
  })
}

const midnightAfter = (date: string): number => Date.parse(`${date}T00:00:00+08:00`) + DAY_MS
