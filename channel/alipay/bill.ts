import { unreachable } from '#domain/assert'
import { availableAt, businessDateOf } from '#domain/business-day'
import { BILL_LIMITS } from '../bill.ts'
import type { BillFetch, BillPart, BillRequest, BillSink, BillTimes } from '../bill.ts'
import { fetchByLink } from '../bill-link.ts'
import type { Followed } from '../bill-link.ts'
import { downloadHttp } from '../http.ts'
import type { DownloadOutcome, RecordExchange } from '../http.ts'
import { ZIP_MAGIC, readBill } from './bill-read.ts'
import { callVendor, normalCode } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { BILL_API, parseBillLink, writeBillRequest } from './wire-bill.ts'
import type { BillLink } from './wire-bill.ts'

/** Alipay dossier, section 6.1: made by about 09:00 of the next day, and asked for again every hour. */
const AVAILABLE_AT_MINUTE = 9 * 60 + 30
/** Payment rules, section 8: before 10:00 "does not exist" means "not yet". */
const DECIDED_AT_MINUTE = 10 * 60
export const billTimes: BillTimes = {
  kinds: ['transaction', 'fund'],
  dayEndHour: 24,
  refundsBy: 'sent',
  availableAtMinute: AVAILABLE_AT_MINUTE,
  retrySeconds: 60 * 60,
  deadlineHours: 24,
}
const OLDEST = '2016-01-01'
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000
/** Of an answer that is no file. */
const ANSWER_BYTES_MAX = 1_048_576
/** Alipay dossier, section 6.1: the vendor's own host of files, whatever the gateway is. */
const BILL_HOST = 'dwbillcenter.alipay.com'
const USER_AGENT = 'pingzhang/0.1'

export const billPart = (context: Context): BillPart => ({
  ...billTimes,
  fetch: (request, sink, record) => fetchBill(context, request, { sink, record }),
  read: (file, kind) => readBill(file, kind, context.settings.seller_id),
})

interface Ends {
  readonly sink: BillSink
  readonly record: RecordExchange
}

/** Alipay dossier, section 6.1: a signed answer gives a link, and the link gives the file to whoever has it. */
async function fetchBill(context: Context, request: BillRequest, ends: Ends): Promise<BillFetch> {
  const problem = dateProblem(request.businessDate, context.deps.clock.now())
  if (problem !== undefined) return { kind: 'refused', code: 'BILL_DATE', message: problem }
  return fetchByLink<Link>(
    () => askLink(context, request, ends.record),
    (link) => followLink(context, link, ends),
  )
}

const DATE = /^\d{4}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?$/

/** Alipay dossier, section 6.1: a day or a month, over, and not before 2016. */
function dateProblem(date: string, now: Date): string | undefined {
  const current = businessDateOf(now, 24).slice(0, date.length)
  const oldest = OLDEST.slice(0, date.length)
  if (DATE.test(date) && date < current && date >= oldest) return undefined
  return `expected a day or month from ${oldest} and before ${current}, found ${date}`
}

type Link = BillLink & { readonly kind: 'link' }

async function askLink(
  context: Context,
  request: BillRequest,
  record: RecordExchange,
): Promise<Link | BillFetch> {
  const call = { kind: 'bill', api: BILL_API, content: writeBillRequest(request) } as const
  const answer = await callVendor(context, call, record)
  switch (answer.kind) {
    case 'done':
      return judgeLink(parseBillLink(answer.node), isDecided(request.businessDate, context))
    case 'refusal':
      return judgeRefusal(answer, isDecided(request.businessDate, context))
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

/** A month's file is made days later (dossier, section 6.1), and nobody knows the hour of a month without. */
function isDecided(businessDate: string, { deps }: Context): boolean {
  const isDay = businessDate.length === OLDEST.length
  return isDay && deps.clock.now() >= availableAt(businessDate, DECIDED_AT_MINUTE)
}

/** Alipay dossier, section 6.1: a file without a row. */
const EMPTY_FILE = 'EMPTY_DATA_WITH_BILL_FILE'

function judgeLink(link: BillLink | undefined, isKnown: boolean): Link | BillFetch {
  if (link?.fileCode === EMPTY_FILE) return judgeNone(EMPTY_FILE, isKnown)
  if (link === undefined || link.url === '') return unknown('expected a link, found none')
  return { kind: 'link', ...link }
}

const judgeNone = (code: string, isKnown: boolean): Exclude<BillFetch, { kind: 'fetched' }> => ({
  kind: isKnown ? 'empty' : 'not_ready',
  code,
})

const unknown = (cause: string) => ({ kind: 'unknown', cause }) as const

/** Alipay dossier, section 6.1. No movement, not made yet, or not signed up for: the hour tells. */
const NONE_CODES: ReadonlySet<string> = new Set(['BILL_NOT_EXIST', 'NO_BILL_DATA'])
const REFUSED_CODES: ReadonlySet<string> = new Set([
  'BILL_DATE_BEFORE_REGISTRATION',
  'TYPE_NOT_SUPPORTED',
  // As the vendor spells it, and as it may one day.
  'INVAILID_ARGUMENTS',
  'INVALID_ARGUMENTS',
])
/** Alipay dossier, section 1.11: not executed, because of what we are or sent. */
const REFUSED_GATEWAY_CODES: ReadonlySet<string> = new Set([
  '20001',
  '40001',
  '40002',
  '40003',
  '40006',
])

type Refusal = Extract<VendorAnswer, { kind: 'refusal' }>

function judgeRefusal(refusal: Refusal, isKnown: boolean): Exclude<BillFetch, { kind: 'fetched' }> {
  const code = normalCode(refusal.subCode)
  if (NONE_CODES.has(code)) return judgeNone(code, isKnown)
  return REFUSED_CODES.has(code) || REFUSED_GATEWAY_CODES.has(refusal.code)
    ? { kind: 'refused', code: refusal.subCode || refusal.code, message: refusal.message }
    : unknown(`${refusal.code} ${refusal.subCode}`.trimEnd())
}

/** The link is signed for, the file is not: it comes from the vendor's own host and by https, or not at all. */
async function followLink(context: Context, link: BillLink, ends: Ends): Promise<Followed> {
  const url = addressOf(link.url, context.settings.gateway_url)
  if (url === undefined) return unknown('the link leads to another host')
  const { clock, fetch, localHosts, timeoutMs = DOWNLOAD_TIMEOUT_MS } = context.deps
  const zip = new ZipWatch(ends.sink)
  // Whoever has the link has the file: the log keeps no part of what opens it.
  const record: RecordExchange = (exchange) =>
    ends.record({ ...exchange, url: url.origin + url.pathname })
  const outcome = await downloadHttp(
    { clock, fetch, localHosts, record, timeoutMs, responseBytesMax: ANSWER_BYTES_MAX },
    { kind: 'bill', method: 'GET', url: url.href, headers: { 'user-agent': USER_AGENT } },
    (chunk) => zip.write(chunk),
  )
  return judgeDownload(outcome, zip)
}

/**
 * Where a link leads, if that is the vendor: its host of files, or the gateway itself.
 *
 * The vendor writes plain http. Bills name every customer, so they are fetched by https.
 */
function addressOf(link: string, gatewayUrl: string): URL | undefined {
  const url = URL.canParse(link) ? new URL(link) : undefined
  if (url === undefined || url.username !== '' || url.password !== '') return undefined
  if (url.origin === new URL(gatewayUrl).origin) return url
  if (url.host !== BILL_HOST || !/^https?:$/.test(url.protocol)) return undefined
  url.protocol = 'https:'
  return url
}

/** How the vendor says that a link is too old is not documented: any answer but a file may mean it. */
function judgeDownload(outcome: DownloadOutcome, zip: ZipWatch): Followed {
  switch (outcome.kind) {
    case 'done': {
      if (!zip.isBegun) return { kind: 'expired' }
      if (!zip.isWhole()) return unknown('expected a whole zip, found its beginning')
      const type = outcome.headers.get('content-type') ?? ''
      return { kind: 'fetched', headers: { 'content-type': type } }
    }
    case 'stopped':
      return zip.isBegun ? unknown('expected fewer bytes') : { kind: 'expired' }
    case 'answered':
      return outcome.status >= 500 ? unknown(`status ${outcome.status}`) : { kind: 'expired' }
    case 'no_answer':
      return unknown(outcome.cause)
    default:
      return unreachable(outcome)
  }
}

const END_MAGIC = Buffer.from([0x50, 0x4b, 0x05, 0x06])
const END_BYTES = 22
const COMMENT_LENGTH_AT = 20
const TAIL_BYTES = END_BYTES + 0xffff

/**
 * Passes a zip on, and nothing else: not a byte of a page reaches the sink.
 *
 * The vendor gives no hash. What was cut shows by the missing end, and is asked for again; what was changed
 * shows by the CRC of its member when it is read.
 */
class ZipWatch {
  readonly #sink: BillSink
  #head: Uint8Array = new Uint8Array()
  #tail: Uint8Array = new Uint8Array()
  #bytes = 0
  isBegun = false

  constructor(sink: BillSink) {
    this.#sink = sink
  }

  /** False when it is no zip, or more than a bill is. */
  async write(chunk: Uint8Array): Promise<boolean> {
    if (this.isBegun) return this.#pass(chunk)
    this.#head = Buffer.concat([this.#head, chunk])
    if (this.#head.length < ZIP_MAGIC.length) return true
    this.isBegun = ZIP_MAGIC.every((byte, at) => this.#head[at] === byte)
    return this.isBegun && this.#pass(this.#head)
  }

  /** Whether its end is there: the record that closes every zip, and the comment that it announces. */
  isWhole(): boolean {
    const tail = Buffer.from(this.#tail)
    let at = tail.lastIndexOf(END_MAGIC)
    for (; at >= 0; at = at === 0 ? -1 : tail.lastIndexOf(END_MAGIC, at - 1)) {
      const rest = tail.length - at - END_BYTES
      if (rest >= 0 && tail.readUInt16LE(at + COMMENT_LENGTH_AT) === rest) return true
    }
    return false
  }

  async #pass(chunk: Uint8Array): Promise<boolean> {
    this.#bytes += chunk.length
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES)
    return this.#bytes <= BILL_LIMITS.rawBytesMax && (await this.#sink.write(chunk))
  }
}
