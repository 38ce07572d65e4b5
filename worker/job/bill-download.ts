import type { BillFetch, BillKind, BillPart } from '#channel/bill'
import { BillBroken } from '#channel/bill'
import type { Exchange } from '#channel/http'
import { findAccount } from '#db/account/account'
import { keepBroken, loadBill } from '#db/bill/bill-load'
import type { LoadedBill } from '#db/bill/bill-load'
import { giveUpRun } from '#db/bill/give-up'
import { FUND_CUT_MS } from '#db/bill/match-fund'
import { changeRun, claimRun } from '#db/bill/run'
import type { RunRow } from '#db/bill/run'
import { jobOfRun } from '#db/bill/run-job'
import { appendLog } from '#db/transaction-log'
import { findBillAccount, hasBusiness } from '#db/account/vendor-merchant'
import { unreachable } from '#domain/assert'
import { boundsOf } from '#domain/business-day'
import type { RunJob } from '#domain/job'
import { addMs } from '#domain/time'
import { commit } from '#db/commit'
import { around } from '#failpoint'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'
import { openBillFile } from '../bill-file.ts'
import type { TemporaryBill } from '../bill-file.ts'
import { HOLD_MS, QUEUED_MS, whileHeld } from '../hold.ts'
import type { Vendor } from '../vendor.ts'

const MS_PER_SECOND = 1000

/**
 * Fetches one day's bill, or its fund bill, and loads it wholly. Not ready is not empty; an empty answer while we have counted
 * money of that day is not believed; what does not come until the deadline goes to a person.
 */
export async function runBillDownload(deps: WorkerDeps, job: RunJob): Promise<void> {
  const now = deps.clock.now()
  const claim = { id: job.runId, state: 'waiting', now, heldUntil: addMs(now, HOLD_MS) } as const
  const run = await claimRun(deps.db, job.merchantId, claim)
  if (run !== undefined) await whileHeld(deps, run, () => download(deps, run))
}

async function download(deps: WorkerDeps, run: RunRow): Promise<void> {
  const vendor = await loadOwner(deps, run)
  const part = vendor.channel.bill
  if (part === undefined) return giveUp(deps, run, 'this channel has no bills')
  const file = await openBillFile()
  try {
    const outcome = await fetchBill(deps, vendor, { run, part, file })
    await follow(deps, { run, part, file }, outcome)
  } finally {
    await file.remove()
  }
}

interface Fetching {
  readonly run: RunRow
  readonly part: BillPart
  readonly file: TemporaryBill
}

async function loadOwner(deps: WorkerDeps, run: RunRow): Promise<Vendor> {
  const id = await findBillAccount(deps.db, run.merchant_id, run.vendor_merchant_id)
  const account = id && (await findAccount(deps.db, deps.sealKey, id))
  if (account === undefined) throw new TryAgain(`vendor merchant ${run.vendor_merchant_id} is gone`)
  return { account, channel: deps.registry.get(account, account.version) }
}

async function fetchBill(
  deps: WorkerDeps,
  { account }: Vendor,
  { run, part, file }: Fetching,
): Promise<BillFetch> {
  const exchanges: Exchange[] = []
  const request = { businessDate: run.business_date, kind: kindOf(run) }
  const outcome = await around('bill.fetch', () =>
    part.fetch(request, file, (exchange) => exchanges.push(exchange)),
  )
  await file.close()
  await appendLog(
    deps.db,
    exchanges.map((exchange) => ({
      merchantId: run.merchant_id,
      channel: account.channel,
      paymentId: undefined,
      kind: exchange.kind,
      content: { ...exchange, business_date: run.business_date },
    })),
  )
  return outcome
}

async function follow(deps: WorkerDeps, fetching: Fetching, outcome: BillFetch): Promise<void> {
  const { run, part } = fetching
  switch (outcome.kind) {
    case 'fetched':
      return load(deps, fetching, outcome.headers)
    case 'empty':
      return closeEmpty(deps, fetching, outcome.code)
    case 'not_ready':
      return later(deps, run, part, outcome.code)
    case 'unknown':
      return later(deps, run, part, outcome.cause)
    case 'refused':
      return giveUp(deps, run, `${outcome.code} ${outcome.message}`)
    default:
      return unreachable(outcome)
  }
}

async function load(
  deps: WorkerDeps,
  fetching: Fetching,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const { run, part, file } = fetching
  const raw = { merchantId: run.merchant_id, path: file.path, headers }
  const lines = part.read(
    { path: file.path, bytes: file.bytes(), businessDate: run.business_date },
    kindOf(run),
  )
  try {
    const bill = { ...ownerOf(run), raw, lines }
    const loaded = await loadBill(deps.databaseUrl, bill)
    // A file without lines is an empty answer, too: it is kept, and asked for again.
    if (loaded.lines === 0 && (await hasMoney(deps, fetching))) {
      return await later(deps, run, part, `no lines, ${NOT_BELIEVED}`)
    }
    await finishLoad(deps, run, loaded)
  } catch (error) {
    if (!(error instanceof BillBroken)) throw error
    // Refused whole, and kept: somebody must see what the vendor sent.
    await keepBroken(deps.databaseUrl, { ...raw, broken: error.message })
    await giveUp(deps, run, error.message)
  }
}

async function finishLoad(deps: WorkerDeps, run: RunRow, loaded: LoadedBill): Promise<void> {
  const note = `${loaded.lines} lines${loaded.isRepeat ? ', the same bytes as before' : ''}`
  await commit(deps.db, 'bill.loaded', async (trx) => {
    const dueAt = addMs(deps.clock.now(), QUEUED_MS)
    const change = { state: 'loaded', dueAt, note } as const
    if (!(await changeRun(trx, run, change))) return
    await deps.jobs.send(trx, 'reconcile', [{ data: jobOfRun(run) }])
  })
}

const kindOf = (run: RunRow): BillKind => (run.task === 'fund' ? 'fund' : 'transaction')

const ownerOf = (run: RunRow) => ({
  kind: kindOf(run),
  merchantId: run.merchant_id,
  vendorMerchantId: run.vendor_merchant_id,
  businessDate: run.business_date,
})

const NOT_BELIEVED = 'but money of that day is counted here'

/** What was paid last on a day may have moved the account on the next one: the day's fund bill need not have it. */
function hasMoney(deps: WorkerDeps, { run, part }: Fetching): Promise<boolean> {
  const { from, to } = boundsOf(run.business_date, part.dayEndHour)
  const bounds = { from, to: run.task === 'fund' ? addMs(to, -FUND_CUT_MS) : to }
  return hasBusiness(deps.db, run.merchant_id, run.vendor_merchant_id, bounds)
}

/** A day without business is a closed, empty run, unless our own books say otherwise. */
async function closeEmpty(deps: WorkerDeps, fetching: Fetching, code: string): Promise<void> {
  const { run, part } = fetching
  if (await hasMoney(deps, fetching)) return later(deps, run, part, `${code}, ${NOT_BELIEVED}`)
  const bill = { ...ownerOf(run), lines: none() }
  await finishLoad(deps, run, await loadBill(deps.databaseUrl, bill))
}

async function* none(): AsyncGenerator<readonly never[]> {
  // No business, no lines.
}

async function later(deps: WorkerDeps, run: RunRow, part: BillPart, why: string): Promise<void> {
  const now = deps.clock.now()
  if (now >= run.deadline_at) return giveUp(deps, run, `${why}, until the deadline`)
  const dueAt = addMs(now, part.retrySeconds * MS_PER_SECOND)
  await changeRun(deps.db, run, { state: 'waiting', dueAt, note: why })
}

const giveUp = (deps: WorkerDeps, run: RunRow, why: string): Promise<void> =>
  giveUpRun(deps.db, run, why, caseOf(run))

/**
 * One for each day without its transaction bill, which is its proof. The fund bill is a second look, and a merchant
 * may not have signed up for it: one for all of its days, until somebody has seen it.
 */
const caseOf = ({ task, vendor_merchant_id: owner, business_date: date }: RunRow) =>
  task === 'fund'
    ? { kind: 'fund_bill_missing', subject: owner }
    : { kind: 'bill_missing', subject: `${owner} ${date}` }
