import { unreachable } from '#domain/assert'
import { availableAt, businessDateOf } from '#domain/business-day'
import type { BillFetch, BillPart, BillRequest, BillSink, BillTimes } from '../bill.ts'
import { downloadHttp } from '../http.ts'
import type { DownloadOutcome, RecordExchange } from '../http.ts'
import { readBill } from './bill-read.ts'
import { believe, writeCall } from './call.ts'
import type { Context, VendorAnswer, VendorCall } from './call.ts'
import { fileHostOf } from './settings.ts'
import { NO_FILE, contentBytes, clearingDateOf, writeFileRequest } from './wire-bill.ts'
import { isRequestFault } from './wire.ts'
import type { Fields } from './wire.ts'

/**
 * UnionPay dossier, section 5.1: about 09:00 for the day that ended at 23:00 of the evening before; five minutes
 * are for everybody's clocks.
 */
export const billTimes: BillTimes = {
  kinds: ['transaction'],
  dayEndHour: 23,
  refundsBy: 'sent',
  availableAtMinute: 9 * 60 + 5,
  retrySeconds: 30 * 60,
  deadlineHours: 24,
}
/**
 * The vendor has one code for "not yet" and "never". The latest hour that is published for any of its systems is
 * 17:00, so an hour after it "no file" is an answer (UnionPay dossier, section 5.1; payment rules, section 8).
 */
const NONE_AT_MINUTE = 18 * 60
/**
 * The content comes inside the form that is signed, so it cannot be believed before all of it is here: this is
 * what is held in memory. About 1,000,000 characters are published (UnionPay dossier, section 5.1).
 */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024
const DOWNLOAD_TIMEOUT_MS = 2 * 60_000

export const billPart = (context: Context): BillPart => ({
  ...billTimes,
  fetch: (request, sink, record) => fetchBill(context, request, { sink, record }),
  read: (file) => readBill(file, context.settings.merId),
})

interface Ends {
  readonly sink: BillSink
  readonly record: RecordExchange
}

/** UnionPay dossier, section 5.1: one signed question, one signed answer with the file in it. */
async function fetchBill(context: Context, request: BillRequest, ends: Ends): Promise<BillFetch> {
  const { businessDate, kind } = request
  const now = context.deps.clock.now()
  if (kind !== 'transaction') {
    return { kind: 'refused', code: 'BILL_KIND', message: `this vendor has no bill of ${kind}` }
  }
  const problem = dateProblem(businessDate, now)
  if (problem !== undefined) return { kind: 'refused', code: 'BILL_DATE', message: problem }
  const call: VendorCall = {
    kind: 'bill',
    host: fileHostOf(context.settings),
    path: '/',
    fields: writeFileRequest(context.settings.merId, businessDate, now),
  }
  const answer = await download(context, call, ends.record)
  if (answer.kind === 'unknown') return answer
  return judge(answer, { businessDate, isKnown: isNoneKnown(businessDate, now) }, ends.sink)
}

/** The question has no year, so it can only be about the last day of its name that is over. */
function dateProblem(businessDate: string, now: Date): string | undefined {
  const today = businessDateOf(now, billTimes.dayEndHour)
  const next = `${Number(businessDate.slice(0, 4)) + 1}${businessDate.slice(4)}`
  if (businessDate < today && next >= today) return undefined
  return `expected a day that is over and less than a year ago, found ${businessDate}`
}

const isNoneKnown = (businessDate: string, now: Date): boolean =>
  now >= availableAt(businessDate, NONE_AT_MINUTE)

/** The log holds the size of the answer and never the file: bills name every customer. */
async function download(
  context: Context,
  call: VendorCall,
  record: RecordExchange,
): Promise<VendorAnswer> {
  const { clock, fetch, localHosts, timeoutMs = DOWNLOAD_TIMEOUT_MS } = context.deps
  const limits = { timeoutMs, responseBytesMax: ANSWER_BYTES_MAX }
  const chunks: Uint8Array[] = []
  let bytes = 0
  const outcome = await downloadHttp(
    { clock, fetch, localHosts, record, ...limits },
    await writeCall(context, call),
    (chunk) => {
      bytes += chunk.length
      if (bytes <= ANSWER_BYTES_MAX) chunks.push(chunk)
      return Promise.resolve(bytes <= ANSWER_BYTES_MAX)
    },
  )
  return answered(context, call, outcome, chunks)
}

function answered(
  context: Context,
  call: VendorCall,
  outcome: DownloadOutcome,
  chunks: readonly Uint8Array[],
): VendorAnswer | Promise<VendorAnswer> {
  switch (outcome.kind) {
    case 'done':
      return believe(context, call, { status: outcome.status, body: Buffer.concat(chunks) })
    case 'stopped':
      return { kind: 'unknown', cause: `expected at most ${ANSWER_BYTES_MAX} bytes` }
    case 'answered':
      return { kind: 'unknown', cause: `status ${outcome.status}` }
    case 'no_answer':
      return { kind: 'unknown', cause: outcome.cause }
    default:
      return unreachable(outcome)
  }
}

interface Asked {
  readonly businessDate: string
  readonly isKnown: boolean
}

function judge(
  { respCode, message }: Extract<VendorAnswer, { kind: 'answered' }>,
  { businessDate, isKnown }: Asked,
  sink: BillSink,
): BillFetch | Promise<BillFetch> {
  const clearingDate = clearingDateOf(businessDate)
  switch (respCode) {
    case '00':
      return message['settleDate'] === clearingDate
        ? take(message, sink)
        : { kind: 'unknown', cause: `expected the file of ${clearingDate}, found another day’s` }
    case NO_FILE:
      return { kind: isKnown ? 'empty' : 'not_ready', code: respCode }
    default:
      return isRequestFault(respCode)
        ? { kind: 'refused', code: respCode, message: message['respMsg'] ?? '' }
        : { kind: 'unknown', cause: `respCode ${respCode}` }
  }
}

const NAME_CHARACTERS_MAX = 128

/** What the vendor signed is kept as it is, sound or not: asking again brings the same bytes. */
async function take({ fileContent, fileName = '' }: Fields, sink: BillSink): Promise<BillFetch> {
  if (fileContent === undefined) return { kind: 'unknown', cause: 'the answer holds no file' }
  if (!(await sink.write(contentBytes(fileContent)))) {
    return { kind: 'unknown', cause: 'expected fewer bytes' }
  }
  return { kind: 'fetched', headers: { 'file-name': fileName.slice(0, NAME_CHARACTERS_MAX) } }
}
