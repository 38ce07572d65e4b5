import type { BillPanel } from '../core/bill-knobs.ts'
import { fundPanel, plantInto } from '../core/bill-knobs.ts'
import { BillShelf } from '../core/bill-shelf.ts'
import type { FaultPanel } from '../core/knobs.ts'
import type { Outcome } from './answer.ts'
import { done, refused } from './answer.ts'
import type { BillWish } from './bill.ts'
import { accountOf, accountRows, chinaDate, headOf, rowShape, tradeRows } from './bill.ts'
import type { Member } from './bill-archive.ts'
import { archiveOf, bombOf } from './bill-archive.ts'
import type { TradeRow } from './bill-text.ts'
import { accountDetail, accountSummary, tradeDetail, tradeSummary } from './bill-text.ts'
import type { Knobs } from './knobs.ts'
import type { Trade } from './trade.ts'

export const BILL_KINDS = ['trade', 'signcustomer'] as const
export type BillKind = (typeof BILL_KINDS)[number]

export interface BillDeskDeps {
  readonly trades: () => readonly Trade[]
  readonly panel: FaultPanel<Knobs>
  readonly now: () => Date
}

const DATE = /^\d{4}-\d{2}(-\d{2})?$/
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Dossier 6.1: made by about nine of the next day. */
const READY_AFTER_MS = 9 * HOUR_MS
const DAY_CHARACTERS = 10
const OLDEST = '2016-01-01'

/** Dossier 6.1: where links lead. */
export const DOWNLOAD_PATH = '/downloadBillFile.resource'

/** Where merchants ask for bills, and what they are given. A bill is made once and stays as it is. */
export class BillDesk {
  readonly #deps: BillDeskDeps
  /** What the bills of a kind look at, and where they lie. */
  readonly #panels: Readonly<Record<BillKind, BillPanel>>
  readonly #shelves: Readonly<Record<BillKind, BillShelf>>

  constructor(deps: BillDeskDeps) {
    this.#deps = deps
    const { panel, now } = deps
    this.#panels = { trade: panel, signcustomer: fundPanel(panel) }
    this.#shelves = {
      trade: new BillShelf(this.#panels.trade, now),
      signcustomer: new BillShelf(this.#panels.signcustomer, now),
    }
  }

  /** The members of a bill as of now, whatever the hour; none when nothing happened. */
  write(kind: BillKind, wish: BillWish): readonly Member[] {
    const rows = this.#rows(kind, wish)
    if (rows.length === 0) return []
    const head = headOf(wish)
    const name = `${head.account}_${wish.date.replaceAll('-', '')}`
    if (kind === 'trade') {
      return [
        { name: `${name}_业务明细.csv`, text: tradeDetail(rows, head) },
        { name: `${name}_业务明细(汇总).csv`, text: tradeSummary(rows, head) },
      ]
    }
    const movements = accountRows(rows)
    return [
      { name: `${name}_账务明细.csv`, text: accountDetail(movements, head) },
      { name: `${name}_账务明细(汇总).csv`, text: accountSummary(movements, head) },
    ]
  }

  /** Dossier 6.1: a link for the merchant, to be followed within 30 seconds. */
  ask(kind: string, wish: BillWish, host: string): Outcome {
    const { now } = this.#deps
    const type = BILL_KINDS.find((known) => known === kind)
    if (type === undefined) return refused('TYPE_NOT_SUPPORTED', '账单类型不支持')
    const { date } = wish
    const isPast = date < chinaDate(now()).slice(0, date.length)
    if (!DATE.test(date) || !isPast || date < OLDEST.slice(0, date.length)) {
      return refused('INVAILID_ARGUMENTS', '入参不合法')
    }
    // "Not yet" and "nothing" are one code (dossier 6.1).
    const isMade = date.length < DAY_CHARACTERS || now().getTime() >= readyAt(date)
    const panel = this.#panels[type]
    const isThere = !panel.take('billLate') && isMade && !panel.get().billEmpty
    const body = isThere ? this.#find(type, wish) : undefined
    if (body === undefined) return refused('isp.bill_not_exist', '账单不存在')
    const token = this.#shelves[type].newLink(wish.sellerId, body)
    return done({ bill_download_url: linkOf({ type, wish, host, token }) })
  }

  /** The file, for whoever has the link. How the vendor answers to an old link is not documented. */
  download(query: URLSearchParams): Response {
    const token = query.get('token') ?? ''
    const link = this.#shelves.trade.follow(token) ?? this.#shelves.signcustomer.follow(token)
    return link === undefined
      ? new Response('<html>链接已失效</html>', { headers: { 'Content-Type': 'text/html' } })
      : new Response(link.body, { headers: { 'Content-Type': 'application/octet-stream' } })
  }

  #find(kind: BillKind, wish: BillWish): Blob | undefined {
    const [panel, shelf] = [this.#panels[kind], this.#shelves[kind]]
    if (panel.take('billBomb')) return new Blob([bombOf(this.write(kind, wish))])
    const key = `${kind}/${wish.sellerId}/${wish.date}`
    const bytes = shelf.keep(key, () => this.#pack(kind, wish))
    return bytes.length === 0 ? undefined : new Blob([shelf.damaged(bytes)])
  }

  #pack(kind: BillKind, wish: BillWish): Uint8Array<ArrayBuffer> {
    const members = this.write(kind, wish)
    if (members.length === 0) return new Uint8Array()
    const { billTrick, fundTrick } = this.#deps.panel.get()
    const trick = kind === 'trade' ? billTrick : fundTrick
    return archiveOf(members, trick === 'none' ? undefined : trick)
  }

  #rows(kind: BillKind, wish: BillWish): readonly TradeRow[] {
    const shape = rowShape(wish)
    const { trade, signcustomer } = this.#panels
    const traded = plantInto(tradeRows(this.#deps.trades(), wish), trade.get(), shape)
    const rows = this.#shelves[kind].inOrder(
      kind === 'trade' ? traded : plantInto(traded, signcustomer.get(), shape),
    )
    return this.#deps.panel.get().billEdgeBytes
      ? rows.map((row) => ({ ...row, subject: row.subject + EDGE_TEXT, buyer: EDGE_TEXT }))
      : rows
  }
}

/** Characters of GBK whose second byte is one of ASCII: `\`, `|`, `@`, `~` and `^`. */
const EDGE_TEXT = '昞亅丂亊乛'

const readyAt = (date: string): number =>
  Date.parse(`${date}T00:00:00+08:00`) + DAY_MS + READY_AFTER_MS

interface LinkParts {
  readonly type: BillKind
  readonly wish: BillWish
  readonly host: string
  readonly token: string
}

/** The shape that was seen (dossier 6.1). */
function linkOf({ type, wish, host, token }: LinkParts): string {
  const account = accountOf(wish.sellerId)
  const day = wish.date.replaceAll('-', '')
  const query = new URLSearchParams({
    bizType: type,
    userId: account,
    fileType: 'csv.zip',
    bizDates: day,
    downloadFileName: `${account}_${day}.csv.zip`,
    fileId: `/${type}/${account}/${day}.csv.zip`,
    token,
  })
  return `http://${host}${DOWNLOAD_PATH}?${query.toString()}`
}
