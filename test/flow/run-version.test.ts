import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { finishUpload, requestBill } from '#db/bill/run-request'
import { JOB_VERSION } from '#domain/job'
import { tickBills } from '#worker/bill-schedule'
import { runBillDownload } from '#worker/job/bill-download'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'

// F88: a worker that knows no fund bills would take the run of one for a transaction bill, and end it.

const TIMEOUT_MS = 60_000
const HOUR = 3600
const TASKS = ['bill', 'fund'] as const

let database: TestDatabase
let scene: BillScene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

/** The runs' jobs that were sent since the last look: queue, task and the version of the payload. */
async function sent(): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string; task: string; version: number | null }>`
    WITH sent AS (DELETE FROM pgboss.job WHERE data ? 'runId' RETURNING name, data)
    SELECT s.name, r.task, (s.data -> 'version')::int AS version
    FROM sent s JOIN schedule_run r ON r.id = s.data ->> 'runId'`.execute(scene.db)
  return rows.map(({ name, task, version }) => `${name} ${task} ${version ?? '-'}`).toSorted()
}

const versions = (queue: string) => [`${queue} bill -`, `${queue} fund ${JOB_VERSION}`]

const wake = async () => {
  scene.passSeconds(HOUR)
  await tickBills(scene.deps)
}

async function requestOf(task: (typeof TASKS)[number]) {
  const { vendor_merchant_id: vendorMerchantId } = await scene.run(scene.businessDate, task)
  const account = scene.db.selectFrom('channel_account').select('strategy')
  const { strategy } = await account.where('id', '=', scene.accountId).executeTakeFirstOrThrow()
  const now = scene.now()
  return {
    owner: { merchantId: scene.merchantId, vendorMerchantId, strategy },
    task,
    businessDate: scene.businessDate,
    now,
    deadlineAt: now,
    actor: 'operator',
    reason: 'test',
  }
}

test(
  'F88 every job of a fund run is of the form that older workers leave, and no job of a transaction bill is',
  async () => {
    const { db, deps, merchantId } = scene
    await scene.buyPaid()
    scene.passToDay(1, 11)
    await tickBills(deps)
    expect(await sent()).toEqual(versions('bill-download'))
    await wake()
    expect(await sent()).toEqual(versions('bill-download'))
    for (const task of TASKS) await requestBill(db, deps.jobs, await requestOf(task))
    expect(await sent()).toEqual(versions('bill-download'))
    for (const task of TASKS) {
      const { id: runId } = await scene.run(scene.businessDate, task)
      await runBillDownload(deps, { merchantId, runId })
    }
    expect(await sent()).toEqual(versions('reconcile'))
    await wake()
    expect(await sent()).toEqual(versions('reconcile'))
    for (const task of TASKS)
      await finishUpload(db, deps.jobs, { ...(await requestOf(task)), lines: 1 })
    expect(await sent()).toEqual(versions('reconcile'))
  },
  TIMEOUT_MS,
)
