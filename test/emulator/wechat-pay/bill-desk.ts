import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { BillPanel } from '../core/bill-knobs.ts'
import { fundPanel, plantInto } from '../core/bill-knobs.ts'
import { BillShelf } from '../core/bill-shelf.ts'
import type { FaultPanel } from '../core/knobs.ts'
import type { ApiRequest } from '../core/server.ts'
import type { Answer } from './answer.ts'
import { ok, parameterError, problem } from './answer.ts'
import type { BillWish, Books } from './bill.ts'
import { billRows, chinaDate, fundRows, rowShape } from './bill.ts'
import type { BillRow } from './bill-text.ts'
import { billText, fundText } from './bill-text.ts'
import type { Knobs } from './knobs.ts'

export const BILL_KINDS = ['trade', 'fund'] as const
export type BillKind = (typeof BILL_KINDS)[number]

/** A bill that somebody wrote to disk, served as it is: for bills larger than memory. */
export interface BillOnDisk extends BillWish {
  /** A gzip file. */
  readonly path: string
  /** Of the bytes before packing. */
  readonly sha1: string
}

interface Bill {
  readonly sha1: string
  readonly body: Blob
}

export interface BillDeskDeps {
  readonly books: () => Books
  readonly panel: FaultPanel<Knobs>
  readonly now: () => Date
}

const DATE = /^\d{4}-\d{2}-\d{2}$/
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Dossier 6.4: bills are there at ten of the next day. */
const READY_AFTER_MS = 10 * HOUR_MS
const DAYS_MAX = 92
const BOMB_BYTES = 64 * 1024 * 1024

/** Where merchants ask for bills, and what they are given. A bill is made once and stays as it is. */
export class BillDesk {
  readonly #deps: BillDeskDeps
  /** What the bills of a kind look at, and where they lie. */
  readonly #panels: Readonly<Record<BillKind, BillPanel>>
  readonly #shelves: Readonly<Record<BillKind, BillShelf>>
  readonly #onDisk = new Map<string, BillOnDisk>()

  constructor(deps: BillDeskDeps) {
    this.#deps = deps
    const { panel, now } = deps
    this.#panels = { trade: panel, fund: fundPanel(panel) }
    this.#shelves = {
      trade: new BillShelf(this.#panels.trade, now),
      fund: new BillShelf(this.#panels.fund, now),
    }
  }

  /** The text of a day's bill as of now, whatever the hour; empty when nothing happened. */
  write(kind: BillKind, wish: BillWish): string {
    const rows = this.#rows(kind, wish)
    if (rows.length === 0) return ''
    return kind === 'trade' ? billText(rows) : fundText(fundRows(rows, wish))
  }

  /** Serves a file instead of what happened. */
  put(bill: BillOnDisk): void {
    this.#onDisk.set(keyOf('trade', bill), bill)
  }

  /** Dossier 6.1, first step. */
  ask(kind: BillKind, mchid: string, { query, headers }: ApiRequest): Answer {
    const { now } = this.#deps
    const date = query.get('bill_date') ?? ''
    const refusal = refuse(kind, query) ?? refuseDate(date, now())
    if (refusal !== undefined) return refusal
    const isMade = now().getTime() >= midnightAfter(date) + READY_AFTER_MS
    if (this.#panels[kind].take('billLate') || !isMade)
      return statement('STATEMENT_CREATING', '账单生成中')
    const bill = this.#find(kind, { mchid, date })
    if (bill === undefined) return statement('NO_STATEMENT_EXIST', '账单不存在')
    const token = this.#shelves[kind].newLink(mchid, bill.body)
    return ok({
      hash_type: 'SHA1',
      hash_value: bill.sha1,
      download_url: `http://${headers.get('host')}/v3/billdownload/file?token=${token}&tartype=gzip`,
    })
  }

  /** Dossier 6.5: the file, unsigned. */
  download(mchid: string, query: URLSearchParams): Answer {
    const token = query.get('token') ?? ''
    const link = this.#shelves.trade.follow(token) ?? this.#shelves.fund.follow(token)
    if (link === undefined) {
      return problem({
        status: 400,
        code: 'INVALID_REQUEST',
        message: '下载地址已失效，请重新申请',
      })
    }
    if (link.owner !== mchid) {
      return problem({ status: 403, code: 'NO_AUTH', message: '无权限下载该账单' })
    }
    return { status: 200, body: '', isSigned: false, file: link.body }
  }

  /** The same bytes for everyone who asks, unless the panel says otherwise. */
  #find(kind: BillKind, wish: BillWish): Bill | undefined {
    const [panel, shelf] = [this.#panels[kind], this.#shelves[kind]]
    if (panel.get().billEmpty) return undefined
    if (panel.take('billBomb')) return bomb()
    const onDisk = this.#onDisk.get(keyOf(kind, wish))
    if (onDisk !== undefined) return { sha1: onDisk.sha1, body: Bun.file(onDisk.path) }
    const text = shelf.keep(keyOf(kind, wish), () => bytesOf(this.write(kind, wish)))
    if (text.length === 0) return undefined
    return { sha1: sha1Of(text), body: new Blob([shelf.damaged(gzipSync(text))]) }
  }

  #rows(kind: BillKind, wish: BillWish): readonly BillRow[] {
    const shape = rowShape(wish)
    const { trade, fund } = this.#panels
    const rows = plantInto(billRows(this.#deps.books(), wish), trade.get(), shape)
    return this.#shelves[kind].inOrder(kind === 'trade' ? rows : plantInto(rows, fund.get(), shape))
  }
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text))

const keyOf = (kind: BillKind, { mchid, date }: BillWish): string => `${kind}/${mchid}/${date}`

const midnightAfter = (date: string): number => Date.parse(`${date}T00:00:00+08:00`) + DAY_MS

const sha1Of = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

/** A thousandfold of nothing, with the hash of exactly that. */
function bomb(): Bill {
  const plain = Buffer.alloc(BOMB_BYTES)
  const sha1 = createHash('sha1').update(plain).digest('hex')
  return { sha1, body: new Blob([gzipSync(plain)]) }
}

const statement = (code: string, message: string): Answer => problem({ status: 400, code, message })

const ALLOWED: Readonly<Record<BillKind, Readonly<Record<string, readonly string[]>>>> = {
  trade: { bill_type: ['ALL'], tar_type: ['GZIP'] },
  fund: { account_type: ['BASIC'], tar_type: ['GZIP'] },
}

/** Dossier 6.2, as far as we ask for it: what we do not send is refused. */
function refuse(kind: BillKind, query: URLSearchParams): Answer | undefined {
  for (const [field, value] of query) {
    if (field === 'bill_date' || ALLOWED[kind][field]?.includes(value) === true) continue
    return parameterError({ field, value, issue: 'not emulated', location: 'query' })
  }
  return query.get('tar_type') === 'GZIP'
    ? undefined
    : parameterError({ field: 'tar_type', value: '', issue: 'not emulated', location: 'query' })
}

function refuseDate(date: string, now: Date): Answer | undefined {
  const oldest = chinaDate(new Date(now.getTime() - DAYS_MAX * DAY_MS))
  if (DATE.test(date) && date < chinaDate(now) && date >= oldest) return undefined
  return parameterError({ field: 'bill_date', value: date, issue: 'date', location: 'query' })
}
