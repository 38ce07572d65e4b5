import { z } from 'zod'
import { unreachable } from '#domain/assert'
import { boundsOf, businessDateOf } from '#domain/business-day'
import type { DailySummary } from '#domain/daily-summary'
import { formatChinaTime, unixSeconds } from '#domain/time'
import { BillBroken } from '../bill.ts'
import type { BillLine } from '../bill.ts'
import { parseJson } from '../json.ts'
import { EXPIRES_IN_SECONDS_MAX } from './prepare.ts'
import type { Settings } from './settings.ts'
import { readRefund } from './wire-refund.ts'
import { PAGE_ITEMS_MAX, readPayment } from './wire.ts'
import type { VendorPayment } from './wire.ts'

/**
 * The lists that stand in for a bill: `paid` holds the payments; `refunded` the payments that have a refund,
 * with these inside; `refunds` the refunds of one payment that were not all inside.
 */
export const LISTS = ['paid', 'refunded', 'refunds'] as const
export type List = (typeof LISTS)[number]

/** Whose day it is: one app in one mode. Seconds since 1970; the second is not part of the day. */
export interface BillOwner {
  readonly app: string
  readonly mode: Settings['mode']
  readonly businessDate: string
  readonly from: number
  readonly until: number
}

/** When the vendor's day ends in Asia/Shanghai (Ping++ dossier, section 6). */
export const DAY_END_HOUR = 24

export function ownerOf({ app, mode }: Settings, businessDate: string): BillOwner {
  const { from, to } = boundsOf(businessDate, DAY_END_HOUR)
  return { app, mode, businessDate, from: unixSeconds(from), until: unixSeconds(to) }
}

const DAY_SECONDS = 86_400
const MS_PER_SECOND = 1000
/** Of the year 9999. */
const SECONDS_MAX = 253_402_300_799
/**
 * How long before a day the creation may lie, because the vendor selects by creation and we by payment.
 *
 * Ping++ dossier, section 6: the longest deadline of a payment, and a day for what a wallet tells late. For
 * refunds: a year, within which the wallets take them, the time until the payment, and days at a bank.
 */
const BEFORE_SECONDS: Readonly<Record<Exclude<List, 'refunds'>, number>> = {
  paid: EXPIRES_IN_SECONDS_MAX + DAY_SECONDS,
  refunded: 400 * DAY_SECONDS,
}

const PATH = '/v1/charges'

/** Ping++ dossier, sections 1 and 6: brackets are percent-encoded, and signed like that. */
export function writeListTarget(
  list: Exclude<List, 'refunds'>,
  { app, from, until }: BillOwner,
  after: string | undefined,
): string {
  return withQuery(PATH, [
    ['app[id]', app],
    ['created[gte]', String(from - BEFORE_SECONDS[list])],
    ['created[lt]', String(until)],
    [list, 'true'],
    ...paging(after),
  ])
}

/** Ping++ dossier, section 3. */
export const writeRefundsTarget = (payment: string, after: string | undefined): string =>
  withQuery(`${PATH}/${encodeURIComponent(payment)}/refunds`, paging(after))

type Pairs = readonly (readonly [name: string, value: string])[]

const paging = (after: string | undefined): Pairs => [
  ['limit', String(PAGE_ITEMS_MAX)],
  ...(after === undefined ? [] : [['starting_after', after] as const]),
]

const withQuery = (path: string, pairs: Pairs): string =>
  `${path}?${pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')}`

/** A line of the day that has no place in a file yet. */
export type BillRow = Omit<BillLine, 'line'>

export interface BillPage {
  /** What belongs to the day, in the vendor's order. */
  readonly rows: readonly BillRow[]
  /** The cursor of the next page; absent on the last one. */
  readonly next: string | undefined
  /** Payments whose refunds are not all on this page: they must be listed. */
  readonly unread: readonly string[]
}

const itemSchema = z.looseObject({
  id: z.string().min(1).max(64),
  created: z.int().positive().max(SECONDS_MAX),
  // Ping++ dossier, section 2.2: absent, null, or the first few.
  refunds: z.object({ has_more: z.boolean(), data: z.array(z.unknown()) }).nullish(),
})
type Item = z.infer<typeof itemSchema>

const pageSchema = z.object({
  object: z.literal('list'),
  has_more: z.boolean(),
  data: z.array(itemSchema).max(PAGE_ITEMS_MAX),
})

/**
 * Reads one page. Throws `BillBroken` when it is none, or when an item of it cannot be understood: what is
 * left out unseen would look like money that we have and the vendor has not.
 */
export function readBillPage(list: List, bytes: Uint8Array, owner: BillOwner): BillPage {
  const page = pageSchema.safeParse(parseJson(bytes)).data
  if (page === undefined) throw new BillBroken('expected a list of the vendor')
  const last = page.data.at(-1)?.id
  if (page.has_more && last === undefined) {
    throw new BillBroken('expected a list, found more behind nothing')
  }
  const next = page.has_more ? last : undefined
  switch (list) {
    case 'paid':
      return { rows: rowsOf(page.data, (item) => paymentRow(item, owner)), next, unread: [] }
    case 'refunded':
      return { ...refundsWithin(page.data, owner), next }
    case 'refunds':
      return { rows: rowsOf(page.data, (item) => refundRow(item, owner)), next, unread: [] }
    default:
      return unreachable(list)
  }
}

const rowsOf = <Value>(
  values: readonly Value[],
  read: (value: Value) => BillRow | undefined,
): readonly BillRow[] => values.map(read).filter((row) => row !== undefined)

/** Ping++ dossier, section 2.2: `refunded` says that there is a refund, and not that it succeeded. */
function refundsWithin(items: readonly Item[], owner: BillOwner): Omit<BillPage, 'next'> {
  const unread: string[] = []
  const rows = items.flatMap(({ refunds, ...item }) => {
    paymentOf(item, owner)
    if (refunds && !refunds.has_more) return rowsOf(refunds.data, (one) => refundRow(one, owner))
    unread.push(item.id)
    return []
  })
  return { rows, unread }
}

/** A payment of this app in this mode. One of another means that the vendor did not do what we asked. */
function paymentOf(item: unknown, owner: BillOwner): VendorPayment {
  const payment = readPayment(item)
  if (payment === undefined) throw new BillBroken('expected a charge object')
  if (payment.facts.identity['app'] !== owner.app)
    throw new BillBroken(`${payment.id} is not of ours`)
  if (payment.isLive !== (owner.mode === 'live')) {
    throw new BillBroken(`${payment.id} is not of mode ${owner.mode}`)
  }
  return payment
}

/** `undefined` for one that is not of the day, or not paid. */
function paymentRow(item: Item, owner: BillOwner): BillRow | undefined {
  const { id, facts } = paymentOf(item, owner)
  if (facts.vendorState === 'not_yet') return undefined
  const { walletPaymentId } = facts
  const wallet = walletPaymentId === undefined ? {} : { walletPaymentId }
  return rowOf(item, owner, {
    kind: facts.vendorState === 'success' ? 'payment' : 'other',
    moment: facts.paidAt,
    stateText: facts.vendorStateText,
    currency: facts.currency,
    numbers: { ...BLANK, paymentNumber: facts.paymentNumber, channelPaymentId: id, ...wallet },
    amountMinor: facts.amountMinor,
  })
}

/** `undefined` for one that is not of the day, or did not succeed. */
function refundRow(value: unknown, owner: BillOwner): BillRow | undefined {
  const item = itemSchema.safeParse(value).data
  const refund = readRefund(value)
  if (item === undefined || refund === undefined) throw new BillBroken('expected a refund object')
  const { facts, channelPaymentId } = refund
  if ((facts.identity['app'] ?? owner.app) !== owner.app) {
    throw new BillBroken(`${item.id} is not of ours`)
  }
  if (facts.refundState !== 'succeeded') return undefined
  return rowOf(item, owner, {
    kind: 'refund',
    moment: facts.refundedAt,
    stateText: facts.refundStateText,
    currency: facts.currency,
    numbers: {
      paymentNumber: facts.paymentNumber,
      channelPaymentId,
      refundNumber: facts.refundNumber ?? '',
      channelRefundId: item.id,
    },
    amountMinor: facts.amountMinor,
  })
}

const BLANK = { refundNumber: '', channelRefundId: '' } as const
const CURRENCY = 'CNY'

interface Read {
  readonly kind: 'payment' | 'refund' | 'other'
  readonly moment: Date | undefined
  readonly stateText: string
  readonly currency: string | undefined
  readonly numbers: Pick<
    BillRow,
    'paymentNumber' | 'channelPaymentId' | 'walletPaymentId' | keyof typeof BLANK
  >
  readonly amountMinor: bigint | undefined
}

/**
 * What has no time belongs to the day of its creation, so that it belongs to one; it and what is not in fen is
 * `other`, for a person. Refunds of years ago do not name their currency (Ping++ dossier, section 3).
 */
function rowOf({ id, created }: Item, owner: BillOwner, read: Read): BillRow | undefined {
  const { amountMinor, currency = CURRENCY, moment } = read
  const at = moment ?? new Date(created * MS_PER_SECOND)
  if (unixSeconds(at) < owner.from || unixSeconds(at) >= owner.until) return undefined
  if (amountMinor === undefined) throw new BillBroken(`${id} has no amount`)
  const odd = [moment === undefined ? 'no time' : '', currency === CURRENCY ? '' : currency]
  const words = odd.filter((word) => word !== '')
  return {
    ...read.numbers,
    kind: words.length === 0 ? read.kind : 'other',
    amountMinor,
    // Payment rules, section 8: `amount_settle` is an estimate, so nothing is said of fees.
    fee: '',
    rate: '',
    stateText: [read.stateText, ...words].join(', '),
    at: formatChinaTime(at),
  }
}

const secondSchema = z.int().positive().max(SECONDS_MAX)
const summarySchema = z.object({
  object: z.literal('app_daily_summary'),
  app_id: z.string().min(1).max(64),
  summary_from: secondSchema,
  summary_to: secondSchema,
  charges_amount: z.int().min(0),
  charges_count: z.int().min(0),
})

/**
 * Reads what the vendor counted on one app's day; `undefined` for another object and for no whole day.
 *
 * Ping++ dossier, section 4.1. That of an account is of all its apps, so it says nothing of one.
 */
export function readSummary(object: unknown): DailySummary | undefined {
  const summary = summarySchema.safeParse(object).data
  if (summary === undefined) return undefined
  const from = new Date(summary.summary_from * MS_PER_SECOND)
  const businessDate = businessDateOf(from, DAY_END_HOUR)
  const bounds = boundsOf(businessDate, DAY_END_HOUR)
  const isWhole =
    unixSeconds(bounds.from) === summary.summary_from &&
    unixSeconds(bounds.to) - 1 === summary.summary_to
  return isWhole
    ? {
        number: summary.app_id,
        businessDate,
        count: String(summary.charges_count),
        minor: String(summary.charges_amount),
      }
    : undefined
}
