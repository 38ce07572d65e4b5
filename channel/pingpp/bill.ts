import { createHash } from 'node:crypto'
import { unreachable } from '#domain/assert'
import { availableAt, businessDateOf } from '#domain/business-day'
import { BillBroken } from '../bill.ts'
import type { BillFetch, BillPart, BillRequest, BillSink, BillTimes } from '../bill.ts'
import type { Exchange, RecordExchange } from '../http.ts'
import { ReadAgain } from '../read-again.ts'
import { DayTotals, readBill, writeEnd, writeHead, writePage } from './bill-read.ts'
import { callVendor, isPassing } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import {
  DAY_END_HOUR,
  ownerOf,
  readBillPage,
  writeListTarget,
  writeRefundsTarget,
} from './wire-bill.ts'
import type { BillOwner, BillPage, List } from './wire-bill.ts'

/** Payment rules, section 8: after 04:00 of the next day; five minutes are for everybody's clocks. */
const READY_AT_MINUTE = 4 * 60
export const billTimes: BillTimes = {
  kinds: ['transaction'],
  dayEndHour: DAY_END_HOUR,
  refundsBy: 'succeeded',
  hasWalletNumbers: true,
  availableAtMinute: READY_AT_MINUTE + 5,
  retrySeconds: 30 * 60,
  deadlineHours: 24,
}

/** Of one reading: half a million payments within some two weeks, in the half hour that a job has. */
const PAGES_MAX = 5000

export const billPart = (context: Context): BillPart => ({
  ...billTimes,
  fetch: (request, sink, record) => fetchBill(context, request, { sink, record }),
  read: (file, kind) => readBill(file, kind, ownerOf(context.settings, file.businessDate)),
})

interface Ends {
  readonly sink: BillSink
  readonly record: RecordExchange
}

type Unfinished = Exclude<BillFetch, { kind: 'fetched' | 'empty' }>

/**
 * Reads the vendor's lists twice: what both readings agree upon is the day.
 *
 * Payment rules, section 8. The vendor has no file of a day (Ping++ dossier, section 6), and a list that is
 * paged through while payments are still told late can lack one.
 */
async function fetchBill(context: Context, request: BillRequest, ends: Ends): Promise<BillFetch> {
  const { businessDate } = request
  const problem = problemOf(context, request)
  if (problem !== undefined) return problem
  const owner = ownerOf(context.settings, businessDate)
  const again = new ReadAgain(context.deps)
  const call = { context, owner, again, record: summing(ends.record) }
  const hash = createHash('sha256')
  const keep = (bytes: Uint8Array) => {
    hash.update(bytes)
    return ends.sink.write(bytes)
  }
  const first = new Reading({ ...call, keep })
  const second = new Reading({ ...call, keep: () => Promise.resolve(true) })
  const stopped = (await first.readDay()) ?? (await second.readDay())
  if (stopped !== undefined) return stopped
  const found = [first.totals.describe(), second.totals.describe()] as const
  if (found[0] !== found[1]) return { kind: 'not_ready', code: 'LISTS_CHANGED' }
  if (second.totals.isEmpty()) return { kind: 'empty', code: 'NOTHING_LISTED' }
  if (!(await ends.sink.write(writeEnd(second.totals, hash.digest('hex'))))) return FULL
  return { kind: 'fetched', headers: { pages: String(first.pages), totals: found[0] } }
}

/** A day that is not over has no bill; before 04:00 its last payments may still be told. */
function problemOf({ deps }: Context, { businessDate, kind }: BillRequest): Unfinished | undefined {
  const now = deps.clock.now()
  const today = businessDateOf(now, DAY_END_HOUR)
  if (kind !== 'transaction') {
    return { kind: 'refused', code: 'BILL_KIND', message: `Ping++ has no ${kind} bill` }
  }
  if (businessDate >= today) {
    const message = `expected a date before ${today}, found ${businessDate}`
    return { kind: 'refused', code: 'BILL_DATE', message }
  }
  return now < availableAt(businessDate, READY_AT_MINUTE)
    ? { kind: 'not_ready', code: 'BEFORE_FOUR' }
    : undefined
}

/** The log holds the addresses and sizes, never the content: lists name every customer. */
const summing =
  (record: RecordExchange): RecordExchange =>
  (exchange: Exchange) =>
    record(
      exchange.status === 200
        ? { ...exchange, responseBody: `${Buffer.byteLength(exchange.responseBody)} bytes` }
        : exchange,
    )

const unknown = (cause: string) => ({ kind: 'unknown', cause }) as const
const FULL = unknown('expected fewer bytes')

interface ReadingDeps {
  readonly context: Context
  readonly owner: BillOwner
  readonly again: ReadAgain
  readonly record: RecordExchange
  /** False when it can hold no more. */
  readonly keep: (bytes: Uint8Array) => Promise<boolean>
}

/** How the pages of one list are asked for. */
interface Walk {
  readonly list: List
  readonly targetAfter: (cursor: string | undefined) => string
}

type Asked = { readonly kind: 'page'; readonly page: BillPage } | Unfinished

/** One reading of all lists of a day, page by page. A method returns why it ended early, if it did. */
class Reading {
  readonly totals = new DayTotals()
  readonly #deps: ReadingDeps
  #pages = 0

  constructor(deps: ReadingDeps) {
    this.#deps = deps
  }

  get pages(): number {
    return this.#pages
  }

  async readDay(): Promise<Unfinished | undefined> {
    const { keep, owner } = this.#deps
    if (!(await keep(writeHead(owner)))) return FULL
    const walkOf = (list: Exclude<List, 'refunds'>): Walk => ({
      list,
      targetAfter: (cursor) => writeListTarget(list, owner, cursor),
    })
    return (await this.#walk(walkOf('paid'))) ?? this.#walk(walkOf('refunded'))
  }

  /** Ping++ dossier, checklist 37: until `has_more` is false. A cursor that comes again would never end. */
  async #walk(walk: Walk): Promise<Unfinished | undefined> {
    const cursors = new Set<string>()
    for (let cursor: string | undefined; this.#pages < PAGES_MAX;) {
      const asked = await this.#ask(walk.list, walk.targetAfter(cursor))
      if (asked.kind !== 'page') return asked
      const stopped = await this.#readRefunds(asked.page.unread)
      if (stopped !== undefined) return stopped
      cursor = asked.page.next
      if (cursor === undefined) return undefined
      if (cursors.has(cursor)) return unknown(`the list stands still at ${cursor}`)
      cursors.add(cursor)
    }
    return unknown(`the lists go on behind ${PAGES_MAX} pages`)
  }

  /** There is no list of refunds across payments (Ping++ dossier, section 6). */
  async #readRefunds(payments: readonly string[]): Promise<Unfinished | undefined> {
    for (const payment of payments) {
      const targetAfter = (cursor: string | undefined) => writeRefundsTarget(payment, cursor)
      const stopped = await this.#walk({ list: 'refunds', targetAfter })
      if (stopped !== undefined) return stopped
    }
    return undefined
  }

  async #ask(list: List, target: string): Promise<Asked> {
    const { context, owner, again, record, keep } = this.#deps
    this.#pages += 1
    const call = { kind: 'bill', method: 'GET', target } as const
    const answer = await again.ask(() => callVendor(context, call, record), isPassing)
    switch (answer.kind) {
      case 'done': {
        const page = pageOf(list, answer.body, owner)
        if (page instanceof BillBroken) return unknown(page.message)
        this.totals.add(page.rows)
        const { body, signature } = answer
        const isKept =
          page.rows.length === 0 || (await keep(writePage({ list, target, body, signature })))
        return isKept ? { kind: 'page', page } : FULL
      }
      case 'refusal':
        return judgeRefusal(answer)
      case 'unknown':
        return answer
      default:
        return unreachable(answer)
    }
  }
}

function pageOf(list: List, body: Uint8Array, owner: BillOwner): BillPage | BillBroken {
  try {
    return readBillPage(list, body, owner)
  } catch (error) {
    if (error instanceof BillBroken) return error
    throw error
  }
}

/** Ping++ dossier, section 5: what is about us and our parameters, and does not go away by itself. */
const REFUSED_STATUSES = new Set([400, 401, 404])
const CURSOR = 'starting_after'

/** A cursor that is not there any more is a list that changed under us. */
function judgeRefusal({ status, error }: Extract<VendorAnswer, { kind: 'refusal' }>): Unfinished {
  const { type, code, message, parameter } = error
  return type === 'invalid_request_error' && REFUSED_STATUSES.has(status) && parameter !== CURSOR
    ? { kind: 'refused', code, message }
    : unknown(`status ${status} ${code}`)
}
