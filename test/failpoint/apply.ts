import { applyNotifications } from '#db/notification/apply-notification'
import { openDatabase, workerDatabase } from '#db/database'
import { jobsOf, openSender } from '#db/job'
import { parseMerchantId } from '#domain/id'
import type { NotificationId } from '#domain/id'

// Applies all received notifications of a merchant in one transaction, in a process that can be killed:
// `bun --conditions=test apply.ts MERCHANT`, with DATABASE_URL. What an order-status job does with a batch.

const url = process.env['DATABASE_URL'] ?? ''
const merchantId = parseMerchantId(process.argv[2] ?? '')
if (merchantId === undefined) throw new Error('the first word is a merchant id')

const db = openDatabase(url, workerDatabase, () => undefined)
const boss = await openSender(url, () => undefined)
const rows = await db
  .selectFrom('notification')
  .select('id')
  .where('merchant_id', '=', merchantId)
  .where('state', '=', 'received')
  .execute()
const ids: NotificationId[] = rows.map((row) => row.id)
const deps = { jobs: jobsOf(boss), compensationSeconds: 3600, now: () => new Date() }
const applied = await applyNotifications(db, deps, merchantId, ids).then(
  (done) => done.length,
  () => 'failed' as const,
)
console.log(applied)
await boss.stop({ graceful: false })
await db.destroy()
