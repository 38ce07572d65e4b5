import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { jobsOf, openSender } from '#db/job'
import { planRuns } from '#db/bill/run'
import { assert } from '#domain/assert'
import { addDays, businessDateOf } from '#domain/business-day'
import { addMs } from '#domain/time'
import { startDurableCluster } from '../support/cluster.ts'
import { TILLS } from '../support/till.ts'
import type { Till } from '../support/till.ts'
import { assertAllFound } from './bill-found.ts'
import { writeOurRows } from './bill-row.ts'
import { startChild } from './child.ts'
import { makeDatabase } from './database.ts'
import type { PhaseDatabase } from './database.ts'
import { rounded } from './figure.ts'
import { timePlainCopy } from './plain-copy.ts'
import { generateBill } from './wechat-bill.ts'
import type { GeneratedBill } from './wechat-bill.ts'

export interface ReconciliationOptions {
  /** Lines of the bill, and payments of ours. */
  readonly lines: number
  /** Also a bill three times as long, for its time and memory. */
  readonly isFull: boolean
  readonly now: Date
  readonly say: (line: string) => void
}

const LONGER = 3
/** The day before yesterday: its bill can be asked for at any hour. */
const DAYS_BACK = 2
const DAY_END_HOUR = 24
const TILL_NUMBER = 1
const SECOND_MS = 1000
const DAY_MS = 86_400_000
const POLL_MS = 50
const RUN_MS_MAX = 900_000
/** Nobody answers there: no points are granted. */
const POINTS_URL = 'http://127.0.0.1:1'

/**
 * How long one worker takes for WeChat Pay's bill of one day: fetched from the emulator, verified, parsed, loaded
 * and matched, beside a plain COPY of the same lines.
 */
export async function benchReconciliation({ lines, isFull, now, say }: ReconciliationOptions) {
  const one = await reconcile(lines, now)
  say(`${lines} lines: ${JSON.stringify(one)}`)
  const longer = isFull ? await reconcile(lines * LONGER, now) : undefined
  if (longer !== undefined) say(`${lines * LONGER} lines: ${JSON.stringify(longer)}`)
  return {
    lines: one.lines,
    seconds: rounded(one.seconds),
    lines_per_second: Math.round(one.lines / one.seconds),
    copy_seconds: rounded(one.copySeconds),
    ratio_copy: rounded(one.seconds / one.copySeconds),
    peak_rss_mb: one.rssMb,
    // Measured with --full: it takes minutes.
    seconds_3m: longer === undefined ? null : rounded(longer.seconds),
    peak_rss_mb_3m: longer?.rssMb ?? null,
  }
}

async function reconcile(lines: number, now: Date) {
  const directory = await mkdtemp(join(tmpdir(), 'pingzhang-bench-'))
  const [till] = (await TILLS['wechat-pay']?.([TILL_NUMBER])) ?? []
  assert(till !== undefined, 'expected a till of WeChat Pay')
  const cluster = await startDurableCluster()
  try {
    const names = z.object({ mchid: z.string(), appid: z.string() }).parse(till.settings)
    const date = addDays(businessDateOf(now, DAY_END_HOUR), -DAYS_BACK)
    const bill = await generateBill({ directory, ...names, date, lines })
    await putBill(till, { path: bill.path, sha1: bill.sha1, mchid: names.mchid, date })
    const database = await makeDatabase(cluster.url, till)
    return await measure({ till, database, bill, date, now })
  } finally {
    await cluster.remove()
    await till.vendor.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

async function putBill({ vendor }: Till, bill: Readonly<Record<string, string>>): Promise<void> {
  const body = JSON.stringify(bill)
  const response = await fetch(`${vendor.url}/_control/bill-file`, { method: 'POST', body })
  assert(response.ok, `the emulator answered ${response.status}: ${await response.text()}`)
}

interface Day {
  readonly till: Till
  readonly database: PhaseDatabase
  readonly bill: GeneratedBill
  readonly date: string
  readonly now: Date
}

/** The plain COPY is done before and after, so that a slow minute of the machine meets both alike. */
async function measure(day: Day) {
  const { database, bill } = day
  await writeOurRows(database, bill)
  const before = await timePlainCopy(database.url, bill.path)
  const run = await runDay(day)
  const after = await timePlainCopy(database.url, bill.path)
  return { lines: bill.lines, ...run, copySeconds: (before + after) / 2 }
}

/** One worker as in production, from the moment at which the day is queued until it is done. */
async function runDay(day: Day) {
  const { database, till, bill } = day
  const db = openDatabase(database.url, workerDatabase, () => undefined)
  const worker = startChild('worker.ts', {
    databaseUrl: database.url,
    pointsUrl: POINTS_URL,
    localHosts: [new URL(till.vendor.url).host],
  })
  try {
    await worker.next(z.object({ started: z.boolean() }))
    await worker.next(z.object({ ready: z.boolean() }))
    const startedAt = performance.now()
    await queueDay(db, day)
    const loadSeconds = await waitForState(db, ['loaded', 'done'], startedAt)
    const seconds = await waitForState(db, ['done'], startedAt)
    worker.endInput()
    const { rss_mb: rssMb } = await worker.next(z.object({ rss_mb: z.number() }))
    await worker.finished()
    await assertAllFound(db, bill)
    return { seconds, loadSeconds, rssMb }
  } finally {
    worker.kill()
    await db.destroy()
  }
}

async function queueDay(db: Db, { database, date, now }: Day): Promise<void> {
  const account = await db
    .selectFrom('channel_account')
    .select(['merchant_id', 'vendor_merchant_id', 'strategy', 'channel', 'created_at'])
    .executeTakeFirstOrThrow()
  const owner = {
    merchantId: account.merchant_id,
    vendorMerchantId: account.vendor_merchant_id,
    strategy: account.strategy,
    channel: account.channel,
    since: account.created_at,
  }
  const later = addMs(now, DAY_MS)
  const boss = await openSender(database.url, (error) => console.error(error.message))
  try {
    const run = {
      owner,
      task: 'bill' as const,
      businessDate: date,
      dueAt: later,
      deadlineAt: later,
    }
    assert((await planRuns(db, jobsOf(boss), [run])) === 1, 'expected that the day is new')
  } finally {
    await boss.stop({ graceful: false })
  }
}

/** Seconds since a moment, once the run is in one of these states. */
async function waitForState(db: Db, states: readonly string[], since: number): Promise<number> {
  const endsAt = performance.now() + RUN_MS_MAX
  for (;;) {
    const run = await db
      .selectFrom('schedule_run')
      .select(['state', 'note'])
      .where('task', '=', 'bill')
      .executeTakeFirst()
    if (run !== undefined && states.includes(run.state)) break
    assert(run?.state !== 'failed', `the run failed: ${run?.note}`)
    assert(performance.now() < endsAt, `the run is still ${run?.state}: ${run?.note}`)
    await Bun.sleep(POLL_MS)
  }
  return (performance.now() - since) / SECOND_MS
}
