import { sql } from 'kysely'
import { PgBoss } from 'pg-boss'
import { z } from 'zod'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { assert } from '#domain/assert'
import { startDurableCluster } from '../support/cluster.ts'
import { makeTemplate, writeBacklog } from './backlog.ts'
import type { Template } from './backlog.ts'
import { withSecrets } from './channel.ts'
import { startChild } from './child.ts'
import { makeDatabase } from './database.ts'
import { rounded } from './figure.ts'

export interface DrainOptions {
  /** Callbacks of the backlog. */
  readonly count: number
  /** Also a backlog ten times as long, for its memory. */
  readonly isFull: boolean
  readonly now: Date
  readonly say: (line: string) => void
}

const SECOND_MS = 1000
const POLL_MS = 50
const DRAIN_MS_MAX = 900_000
const LONGER = 10
/** The longer backlog is a few statements of half a minute each. */
const STATEMENT_TIMEOUT_MS = 600_000

/**
 * How fast one worker brings stored callbacks to paid orders and granted points, beside what its queue
 * alone does with a job per callback.
 */
export async function benchDrain({ count, isFull, now, say }: DrainOptions) {
  const cluster = await startDurableCluster()
  try {
    const template = await makeTemplate('wechat_pay', now)
    const noop = await drainNoop(cluster.url, template, count)
    say(`no-op jobs: ${Math.round(noop)} a second`)
    const figures = await drain(cluster.url, template, count)
    say(`${count} callbacks: ${JSON.stringify(figures)}`)
    const longer = isFull ? await drain(cluster.url, template, count * LONGER) : undefined
    if (longer !== undefined) say(`${count * LONGER} callbacks: ${JSON.stringify(longer)}`)
    return {
      callbacks: count,
      order_status_per_second: Math.round(figures.ordersPerSecond),
      noop_per_second: Math.round(noop),
      ratio_noop: rounded(figures.paymentsPerSecond / noop),
      payments_per_second: Math.round(figures.paymentsPerSecond),
      rss_mb_20k: figures.rssMb,
      // Measured with --full: it takes minutes.
      rss_mb_200k: longer?.rssMb ?? null,
    }
  } finally {
    await cluster.remove()
  }
}

/** Callbacks a second from the start of the worker: to the last paid order, and to the last grant. */
async function drain(server: string, template: Template, count: number) {
  const database = await makeDatabase(server, withSecrets(template.account))
  const patient = { ...workerDatabase, statementTimeoutMs: STATEMENT_TIMEOUT_MS }
  const db = openDatabase(database.url, patient, () => undefined)
  const points = startPoints()
  await writeBacklog({ db, databaseUrl: database.url, ...database }, template, count)
  const worker = startChild('worker.ts', {
    databaseUrl: database.url,
    pointsUrl: `http://127.0.0.1:${points.port}`,
  })
  try {
    await worker.next(z.object({ started: z.boolean() }))
    const startedAt = performance.now()
    const perSecond = (): number => (count * SECOND_MS) / (performance.now() - startedAt)
    await waitUntilNoneIsDue(db, 'notification')
    const ordersPerSecond = perSecond()
    await waitUntilNoneIsDue(db, 'points_grant')
    const paymentsPerSecond = perSecond()
    worker.endInput()
    await worker.next(z.object({ ready: z.boolean() }))
    const { rss_mb: rssMb } = await worker.next(z.object({ rss_mb: z.number() }))
    await worker.finished()
    await assertDrained(db, count)
    return { ordersPerSecond, paymentsPerSecond, rssMb }
  } finally {
    worker.kill()
    await points.stop(true)
    await db.destroy()
    await database.drop()
  }
}

/** Answers at once with what it was told, which is the whole of a points service that knows no trouble. */
function startPoints() {
  return Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) =>
      new Response(await request.text(), { headers: { 'content-type': 'application/json' } }),
  })
}

/** What waits has a moment at which it is due; an index holds these rows alone, so that asking costs little. */
async function waitUntilNoneIsDue(db: Db, table: 'notification' | 'points_grant'): Promise<void> {
  const endsAt = performance.now() + DRAIN_MS_MAX
  for (;;) {
    const due = db.selectFrom(table).select('id').where('due_at', 'is not', null)
    const row = await due.limit(1).executeTakeFirst()
    if (row === undefined) return
    assert(performance.now() < endsAt, `${table} ${row.id} is still due`)
    await Bun.sleep(POLL_MS)
  }
}

async function assertDrained(db: Db, count: number): Promise<void> {
  const { rows } = await sql<Readonly<Record<'paid' | 'granted' | 'cases', bigint>>>`
    SELECT (SELECT count(*) FROM customer_order WHERE state = 'paid') AS paid,
           (SELECT count(*) FROM points_grant WHERE state = 'granted') AS granted,
           (SELECT count(*) FROM open_case) AS cases`.execute(db)
  const [found] = rows
  assert(
    found?.paid === BigInt(count) && found.granted === BigInt(count) && found.cases === 0n,
    `expected ${count} paid and granted and no case, found ${found?.paid}, ${found?.granted}, ${found?.cases}`,
  )
}

const QUEUE = 'bench-noop'
const INSERT_MAX = 1000

/** Jobs a second that do nothing, in a queue that is set as `order-status` is. */
async function drainNoop(server: string, template: Template, count: number): Promise<number> {
  const database = await makeDatabase(server, withSecrets(template.account))
  try {
    await fillQueue(database.url, { ...database, count })
    const argument = { databaseUrl: database.url, queue: QUEUE, count }
    const worker = startChild('noop-worker.ts', argument)
    try {
      await worker.next(z.object({ started: z.boolean() }))
      const startedAt = performance.now()
      await worker.next(z.object({ handled: z.literal(count) }))
      const tookMs = performance.now() - startedAt
      worker.endInput()
      await worker.finished()
      return (count * SECOND_MS) / tookMs
    } finally {
      worker.kill()
    }
  } finally {
    await database.drop()
  }
}

async function fillQueue(
  url: string,
  { merchantId, count }: { readonly merchantId: string; readonly count: number },
): Promise<void> {
  const boss = new PgBoss({ connectionString: url, schema: 'pgboss', supervise: false })
  boss.on('error', (error) => console.error(error.message))
  await boss.start()
  try {
    const { name: _, ...settings } = (await boss.getQueue('order-status')) ?? {}
    await boss.createQueue(QUEUE, { ...settings, partition: true })
    for (let from = 0; from < count; from += INSERT_MAX) {
      const length = Math.min(INSERT_MAX, count - from)
      const jobs = Array.from({ length }, (__, at) => ({
        data: { merchantId, notificationIds: [`n${String(from + at).padStart(25, '0')}`] },
      }))
      await boss.insert(QUEUE, jobs)
    }
  } finally {
    await boss.stop({ graceful: false })
  }
}
