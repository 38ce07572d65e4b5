import { createHash } from 'node:crypto'
import type { BillFetch, BillKind, BillLine, BillPart } from '#channel/bill'
import { readPieces } from '#channel/pingpp/bill-read'
import { ownerOf } from '#channel/pingpp/wire-bill'
import { settingsSchema } from '#channel/pingpp/settings'
import { assert } from '#domain/assert'
import { readRaw } from '../bill-file.ts'
import { atSecond } from '../support.ts'
import type { Built, ChannelSetup } from '../support.ts'
import { PAYMENT_FIELD, app, buildChannel, vendorPayment, vendorRefund } from './support.ts'
import { listOf, signed, startVendor } from './vendor.ts'
import type { Heard, Reply, TinyVendor } from './vendor.ts'

export const businessDate = '2026-03-14'
/** Seconds of a moment of China's. */
export const second = (text: string): number => Date.parse(`${text}+08:00`) / 1000
export const NEXT_DAY = second('2026-03-15T04:05:00')

type Changes = Readonly<Record<string, unknown>>

/** The vendor's number with this index. */
export const vendorId = (index: number): string => `ch_${String(index).padStart(24, '0')}`
export const numberOf = (index: number): string => `p${String(index).padStart(25, '0')}`

/** A payment of this index that was paid at this moment. */
export const paidAt = (index: number, at: string, changes: Changes = {}) => ({
  ...vendorPayment({ credential: {}, created: second(at) - 60, order_no: numberOf(index) }),
  id: vendorId(index),
  paid: true,
  amount: 100 + index,
  time_paid: second(at),
  ...changes,
})

/** A refund of the payment of this index. */
export const refundAt = (index: number, at: string, changes: Changes = {}) =>
  vendorRefund({
    id: `re_${String(index).padStart(24, '0')}`,
    [PAYMENT_FIELD]: vendorId(index),
    charge_order_no: numberOf(index),
    amount: 10 + index,
    created: second(at) - 60,
    time_succeed: second(at),
    ...changes,
  })

/** A payment with these refunds inside, as a list shows it. */
export const withRefunds = (sold: object, data: readonly unknown[], has_more = false) => ({
  ...sold,
  refunded: true,
  refunds: { object: 'list', url: '', has_more, data },
})

type Pages = readonly (readonly unknown[])[]

/** What the lists of the vendor hold, page by page. */
export interface Lists {
  readonly paid?: Pages
  readonly refunded?: Pages
  /** Of single payments, by the vendor's number. */
  readonly refunds?: Readonly<Record<string, Pages>>
}

const idOf = (item: unknown): string => String(Object(item).id)

/** Answers as the vendor does: the page behind the cursor. */
export const listing =
  (lists: Lists): Reply =>
  ({ target }) => {
    const url = new URL(target, 'http://vendor')
    const pages = pagesFor(lists, url)
    const after = url.searchParams.get('starting_after')
    const at = after === null ? 0 : pages.findIndex((page) => idOf(page.at(-1)) === after) + 1
    return signed(200, listOf(pages[at] ?? [], at + 1 < pages.length))
  }

function pagesFor({ paid = [], refunded = [], refunds = {} }: Lists, url: URL): Pages {
  const [, , , payment] = url.pathname.split('/')
  if (payment !== undefined) return refunds[payment] ?? []
  return url.searchParams.has('paid') ? paid : refunded
}

export interface Fetched {
  readonly outcome: BillFetch
  readonly vendor: TinyVendor
  readonly raw: Uint8Array
  /** Before each page that was asked for again. */
  readonly pauses: readonly number[]
}

export interface How extends ChannelSetup {
  readonly kind?: BillKind
  readonly date?: string
  /** How many bytes the sink holds. */
  readonly room?: number
}

export function billOf({ channel }: Pick<Built, 'channel'> = buildChannel()): BillPart {
  assert(channel.bill !== undefined, 'the channel has bills')
  return channel.bill
}

/** Lets the channel fetch from a vendor that answers in this order, the last reply on and on. */
export async function fetchBill(
  replies: readonly Reply[],
  { kind = 'transaction', date = businessDate, room = Infinity, ...setup }: How = {},
): Promise<Fetched> {
  const pauses: number[] = []
  const pause = (ms: number): Promise<void> => Promise.resolve(void pauses.push(ms))
  await using vendor = startVendor(replies, {
    at: atSecond(NEXT_DAY),
    ...setup,
    deps: { pause, ...setup.deps },
  })
  const chunks: Uint8Array[] = []
  const write = (chunk: Uint8Array) => {
    chunks.push(Uint8Array.from(chunk))
    return Promise.resolve(chunks.reduce((sum, { length }) => sum + length, 0) <= room)
  }
  const outcome = await billOf(vendor).fetch({ businessDate: date, kind }, { write }, vendor.record)
  return { outcome, vendor, pauses, raw: Buffer.concat(chunks) }
}

/** Only the addresses, without the host. */
export const targetsOf = (heard: readonly Heard[]): readonly string[] =>
  heard.map(({ target }) => target)

export interface Reading {
  readonly kind?: BillKind
  readonly businessDate?: string
  readonly built?: Pick<Built, 'channel'>
}

/** Reads raw bytes of the day, unless of another, as the worker does. */
export const readFile = (
  raw: Uint8Array,
  { built, ...how }: Reading = {},
): Promise<readonly BillLine[]> => readRaw(billOf(built), raw, { businessDate, ...how })

/** Reads bytes that come in these pieces. */
export async function readInPieces(pieces: readonly Uint8Array[]): Promise<readonly BillLine[]> {
  async function* source() {
    yield* pieces
  }
  const owner = ownerOf(settingsSchema.parse({ app }), businessDate)
  return (await Array.fromAsync(readPieces(source(), owner))).flat()
}

export interface RawParts {
  readonly head?: string
  /** The list, and the body. */
  readonly pages: readonly (readonly [list: string, body: string])[]
  readonly figures: string
}

/** A raw day in its documented form, written by this test and never by the code under test. */
export function rawOf({ head = `pingpp-lists 1 ${app} live ${businessDate}`, ...rest }: RawParts) {
  const pages = rest.pages.map(([list, body], index) => {
    const bytes = Buffer.byteLength(body)
    return `page ${list} ${bytes} AAAA /v1/charges?page=${index}\n${body}\n`
  })
  const before = `${head}\n${pages.join('')}`
  const sha256 = createHash('sha256').update(before).digest('hex')
  return Buffer.from(`${before}end ${rest.figures} ${sha256}\n`)
}
