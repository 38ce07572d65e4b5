import pino from 'pino'
import { billDatabase, openDatabase, workerDatabase } from '#db/database'
import { jobsOf, openSender } from '#db/job'
import { parseMerchantId } from '#domain/id'
import type { MerchantId } from '#domain/id'
import { addMs } from '#domain/time'
import { runBillDownload } from '#worker/job/bill-download'
import { runReconcile } from '#worker/job/reconcile'
import { makeDeps } from '#worker/make-deps'
import { testSealKey } from '../support/platform.ts'

// Fetches, loads and matches a day of a merchant that waits, in a process that can be killed:
// `bun --conditions=test bill.ts MERCHANT AHEAD_MS TASK DATE LOCAL_HOST...`, with DATABASE_URL.

const url = process.env['DATABASE_URL'] ?? ''
const [, , merchant = '', aheadMs = '0', word = '', date = '', ...localHosts] = process.argv
const task = word === 'fund' || word === 'points' ? word : 'bill'
const merchantId = parseMerchantId(merchant)
if (merchantId === undefined) throw new Error('the first word is a merchant id')

const ignore = (): void => undefined
const db = openDatabase(url, workerDatabase, ignore)
const billDb = openDatabase(url, billDatabase, ignore)
const boss = await openSender(url, ignore)
const { deps } = makeDeps(
  {
    databaseUrl: url,
    sealKey: testSealKey(),
    pointsUrl: 'http://127.0.0.1:9',
    publicUrl: 'http://127.0.0.1:9',
    localHosts,
    clock: { now: () => addMs(new Date(), Number(aheadMs)) },
    log: pino({ level: 'silent' }),
    compensationSeconds: 3600,
    retrySeconds: 60,
    querySeconds: 60,
    requireDurable: false,
    sweepPattern: '',
    pollingSeconds: 1,
  },
  { db, billDb, jobs: jobsOf(boss) },
)

async function work(owner: MerchantId): Promise<string> {
  const runs = await db
    .selectFrom('schedule_run')
    .select('id')
    .where('task', '=', task)
    .where('business_date', '=', date)
    .where('state', 'in', ['waiting', 'loaded'])
    .execute()
  try {
    for (const { id: runId } of runs) {
      await runBillDownload(deps, { merchantId: owner, runId })
      await runReconcile(deps, { merchantId: owner, runId })
    }
    return 'done'
  } catch {
    // What a job throws goes back to its queue.
    return 'failed'
  }
}

console.log(await work(merchantId))
await boss.stop({ graceful: false })
await db.destroy()
await billDb.destroy()
