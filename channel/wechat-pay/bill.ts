import { createHash } from 'node:crypto'
import { finished } from 'node:stream/promises'
import { unreachable } from '#domain/assert'
import { availableAt, businessDateOf } from '#domain/business-day'
import { BILL_LIMITS, isBomb } from '../bill.ts'
import type { BillFetch, BillPart, BillRequest, BillSink, BillTimes } from '../bill.ts'
import { fetchByLink } from '../bill-link.ts'
import type { Followed } from '../bill-link.ts'
import { downloadHttp } from '../http.ts'
import type { DownloadOutcome, RecordExchange } from '../http.ts'
import { newGunzip, readBill } from './bill-read.ts'
import { RESPONSE_BYTES_MAX, callVendor, headersOf } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { hostsOf } from './settings.ts'
import { parseBillLink, writeBillTarget } from './wire-bill.ts'
import type { BillLink } from './wire-bill.ts'
import { parseVendorError } from './wire.ts'

/** WeChat Pay dossier, section 6.4: from 10:00 of the next day; five minutes are for everybody's clocks. */
const READY_AT_MINUTE = 10 * 60
export const billTimes: BillTimes = {
  kinds: ['transaction', 'fund'],
  dayEndHour: 24,
  refundsBy: 'sent',
  availableAtMinute: READY_AT_MINUTE + 5,
  retrySeconds: 30 * 60,
  deadlineHours: 24,
}
const MONTHS_MAX = 3
/** A bill of millions of lines over a slow line. */
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000

export const billPart = (context: Context): BillPart => ({
  ...billTimes,
  fetch: (request, sink, record) => fetchBill(context, request, { sink, record }),
  read: (file, kind) => readBill(file, kind, context.settings.mchid),
})

interface Ends {
  readonly sink: BillSink
  readonly record: RecordExchange
}

/** WeChat Pay dossier, section 6.1: a signed answer gives a link and a hash, the link gives an unsigned file. */
async function fetchBill(context: Context, request: BillRequest, ends: Ends): Promise<BillFetch> {
  const problem = dateProblem(request.businessDate, context.deps.clock.now())
  if (problem !== undefined) return { kind: 'refused', code: 'BILL_DATE', message: problem }
  return fetchByLink<Link>(
    () => askLink(context, request, ends.record),
    (link) => followLink(context, link, ends),
  )
}

/** WeChat Pay dossier, section 6.2: within three months, and not today. */
function dateProblem(businessDate: string, now: Date): string | undefined {
  const today = businessDateOf(now, 24)
  const oldest = monthsBefore(today, MONTHS_MAX)
  if (businessDate < today && businessDate >= oldest) return undefined
  return `expected a date from ${oldest} and before ${today}, found ${businessDate}`
}

/** The same day of an earlier month, or that month's last day. */
function monthsBefore(date: string, months: number): string {
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number)
  const lastDay = new Date(Date.UTC(year, month - months, 0)).getUTCDate()
  const moment = Date.UTC(year, month - 1 - months, Math.min(day, lastDay))
  return new Date(moment).toISOString().slice(0, date.length)
}

type Link = BillLink & { readonly kind: 'link' }

async function askLink(
  context: Context,
  request: BillRequest,
  record: RecordExchange,
): Promise<Link | BillFetch> {
  const call = { kind: 'bill', method: 'GET', target: writeBillTarget(request) } as const
  const answer = await callVendor(context, call, record)
  switch (answer.kind) {
    case 'done': {
      const link = parseBillLink(answer.body)
      if (link === undefined) return { kind: 'unknown', cause: 'expected a link with a SHA-1' }
      return { kind: 'link', ...link }
    }
    case 'refusal':
      return judgeRefusal(answer, isDayOver(request.businessDate, context))
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

/** After 10:00 the vendor knows whether there was business; before, "none" may be "not yet" (section 6.4). */
const isDayOver = (businessDate: string, { deps }: Context): boolean =>
  deps.clock.now() >= availableAt(businessDate, READY_AT_MINUTE)

const REFUSED_CODES: ReadonlySet<string> = new Set([
  'PARAM_ERROR',
  'INVALID_REQUEST',
  'NO_AUTH',
  'SIGN_ERROR',
  'MCH_NOT_EXISTS',
])

type Refusal = Extract<VendorAnswer, { kind: 'refusal' }>

function judgeRefusal(refusal: Refusal, isKnown: boolean): Exclude<BillFetch, { kind: 'fetched' }> {
  const { status, code, message } = refusal
  if (status === 429) return { kind: 'unknown', cause: `status 429 ${code}` }
  switch (code) {
    case 'STATEMENT_CREATING':
      return { kind: 'not_ready', code }
    case 'NO_STATEMENT_EXIST':
      return { kind: isKnown ? 'empty' : 'not_ready', code }
    default:
      return REFUSED_CODES.has(code)
        ? { kind: 'refused', code, message }
        : { kind: 'unknown', cause: `status ${status} ${code}` }
  }
}

/**
 * WeChat Pay dossier, section 6.5: the download is signed by us and not by the vendor, so it comes from the
 * vendor's own hosts and with the hash that the vendor did sign, or not at all.
 */
async function followLink(context: Context, link: BillLink, ends: Ends): Promise<Followed> {
  const target = targetOf(link.url, hostsOf(context.settings))
  if (target === undefined) return { kind: 'unknown', cause: 'the link leads to another host' }
  const { clock, fetch, localHosts, timeoutMs = DOWNLOAD_TIMEOUT_MS } = context.deps
  const { record, sink } = ends
  const limits = { timeoutMs, responseBytesMax: RESPONSE_BYTES_MAX }
  const call = { kind: 'bill', method: 'GET', target } as const
  const headers = { ...(await headersOf(context, call)), accept: '*/*' }
  const plain = new PlainDigest()
  try {
    const outcome = await downloadHttp(
      { clock, fetch, localHosts, record, ...limits },
      { kind: 'bill', method: 'GET', url: link.url, headers },
      async (chunk) => (await plain.write(chunk)) && (await sink.write(chunk)),
    )
    return await judgeDownload(outcome, link, plain)
  } finally {
    plain.destroy()
  }
}

/** Path and query of a link to one of the hosts, if it will be sent the way it is written. */
function targetOf(link: string, hosts: readonly string[]): string | undefined {
  const url = URL.canParse(link) ? new URL(link) : undefined
  if (url === undefined || !hosts.includes(url.origin)) return undefined
  const target = url.pathname + url.search
  // What is signed must be what is sent; and a name, a password or a fragment has no place here.
  return link === url.origin + target ? target : undefined
}

async function judgeDownload(
  outcome: DownloadOutcome,
  link: BillLink,
  plain: PlainDigest,
): Promise<Followed> {
  switch (outcome.kind) {
    case 'done': {
      const found = await plain.end()
      if (found !== link.sha1) {
        const cause = `expected plain bytes with SHA-1 ${link.sha1}, found ${found ?? 'no gzip'}`
        return { kind: 'unknown', cause }
      }
      const type = outcome.headers.get('content-type') ?? ''
      return { kind: 'fetched', headers: { 'content-type': type, 'plain-sha1': link.sha1 } }
    }
    case 'stopped':
      return { kind: 'unknown', cause: plain.problem ?? 'expected fewer bytes' }
    case 'answered':
      return judgeAnswer(outcome.status, outcome.body)
    case 'no_answer':
      return { kind: 'unknown', cause: outcome.cause }
    default:
      return unreachable(outcome)
  }
}

function judgeAnswer(status: number, body: Uint8Array): Followed {
  const error = parseVendorError(body)
  if (status === 400 && error?.code === 'INVALID_REQUEST') return { kind: 'expired' }
  if (error !== undefined && (status === 401 || status === 403))
    return { kind: 'refused', ...error }
  return { kind: 'unknown', cause: `status ${status} ${error?.code ?? ''}`.trimEnd() }
}

/** WeChat Pay dossier, section 6.3: the hash is over the bytes before packing, so they are unpacked on the way. */
class PlainDigest {
  readonly #hash = createHash('sha1')
  readonly #gunzip = newGunzip()
  readonly #closed: Promise<void>
  #rawBytes = 0
  #plainBytes = 0
  #problem: string | undefined

  constructor() {
    this.#closed = new Promise((resolve) => this.#gunzip.once('close', resolve))
    this.#gunzip.on('error', (error) => {
      this.#problem ??= `expected gzip: ${error.message}`
    })
    this.#gunzip.on('data', (piece: Uint8Array) => {
      this.#plainBytes += piece.length
      this.#hash.update(piece)
      if (!isBomb(this.#plainBytes, this.#rawBytes)) return
      this.#problem ??= `${this.#rawBytes} bytes expand like a bomb`
      this.#gunzip.destroy()
    })
  }

  /** Why it takes no more. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** False once it is no gzip, or more than a bill is. */
  async write(chunk: Uint8Array): Promise<boolean> {
    this.#rawBytes += chunk.length
    if (this.#rawBytes > BILL_LIMITS.rawBytesMax) this.#problem ??= 'expected fewer bytes'
    if (this.#problem !== undefined || this.#gunzip.destroyed) return false
    // What is broken is closed, and never says that it has taken a chunk.
    const taken = new Promise<void>((resolve) => this.#gunzip.write(chunk, () => resolve()))
    await Promise.race([taken, this.#closed])
    return this.#problem === undefined
  }

  /** The hash in small letters; `undefined` when the bytes were no whole gzip file. */
  async end(): Promise<string | undefined> {
    this.#gunzip.end()
    await finished(this.#gunzip).catch(() => undefined)
    return this.#problem === undefined ? this.#hash.digest('hex') : undefined
  }

  destroy(): void {
    this.#gunzip.destroy()
  }
}
