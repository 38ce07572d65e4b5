import { sql } from 'kysely'
import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { addEndpoint, findEndpoints, removeEndpoint } from '#db/event/event-endpoint'
import type { DeliveryRow, EventRow } from '#db/event/event-list'
import { sweep } from '#db/sweep'
import { assert } from '#domain/assert'
import { eventIdFrom } from '#domain/id'
import type { DeliveryId, EndpointId } from '#domain/id'
import type { CompensationJob, MerchantEventJob } from '#domain/job'
import { addMs } from '#domain/time'
import type { WorkerDeps } from '#worker/deps'
import { createEventClient } from '#worker/event-client'
import { createEventPool } from '#worker/event-pool'
import { runCompensation } from '#worker/job/compensation'
import { runMerchantEvent } from '#worker/job/merchant-event'
import type { PointsClient } from '#worker/points-client'
import { createQueryLimit } from '#worker/query-limit'
import { createTurns } from '#worker/turn'
import { openDesk } from '../db/desk.ts'
import type { Desk } from '../db/desk.ts'
import { startMerchant } from '../emulator/merchant/server.ts'
import type { Merchant } from '../emulator/merchant/server.ts'
import { keepLog } from '../gateway/logged.ts'
import { testSealKey } from '../support/platform.ts'
import { waitFor } from '../support/wait.ts'

/** More than a test takes on a slow machine: what it writes by the real clock is due at once. */
const AHEAD_MS = 60_000

/** A clock that stands until the test moves it. It starts a little ahead, so that what is written is due. */
export function standingClock() {
  let moment = addMs(new Date(), AHEAD_MS)
  return {
    now: () => moment,
    pass(ms: number): void {
      moment = addMs(moment, ms)
    },
    set(to: Date): void {
      moment = to
    },
  }
}

/** The desk with what a worker needs, its clock standing; the test runs each job itself. */
export interface EventDesk extends Desk {
  readonly clock: ReturnType<typeof standingClock>
  readonly worker: WorkerDeps
  readonly log: ReturnType<typeof keepLog>
  /** A merchant's system that listens, and its address. */
  listen(): Promise<Listener>
  events(): Promise<readonly EventRow[]>
  deliveries(endpoint?: EndpointId): Promise<readonly DeliveryRow[]>
  /** Runs the jobs of these deliveries, of all that are due unless given; resolves when all are done. */
  wake(ids?: readonly DeliveryId[]): Promise<void>
  /** As `wake`, and does not wait for the answers. */
  wakeOnly(ids?: readonly DeliveryId[]): Promise<void>
  /** Sweeps, and runs what the sweeper has queued. Says how many events were fed. */
  sweepOnce(): Promise<number>
  /** Loses every job of every queue. */
  loseJobs(): Promise<void>
  /** Takes all addresses away and forgets what was: for the next test. */
  reset(): Promise<void>
}

/** Points are another test's matter. */
const GENEROUS: PointsClient = {
  restsUntil: () => undefined,
  send: () => Promise.resolve({ kind: 'done' }),
  read: () => Promise.resolve({ kind: 'absent' }),
}

export interface Listener {
  readonly merchant: Merchant
  readonly id: EndpointId
  readonly secret: string
}

export async function openEventDesk(
  databaseUrl: string,
  changes: Partial<WorkerDeps> = {},
  clock = standingClock(),
): Promise<EventDesk> {
  const desk = await openDesk(databaseUrl)
  const { db, merchantId } = desk
  const localHosts: string[] = []
  const merchants: Merchant[] = []
  let firstEvent = eventIdFrom(new Date())
  const log = keepLog()
  const failures: unknown[] = []
  const worker: WorkerDeps = {
    ...desk.deps,
    db,
    billDb: db,
    databaseUrl,
    clock,
    now: () => clock.now(),
    log: log.log,
    registry: createRegistry(strategies, {
      clock,
      fetch: (url, init) => fetch(url, init),
      localHosts,
      newNonce: () => crypto.randomUUID(),
    }),
    sealKey: testSealKey(),
    points: GENEROUS,
    queryLimit: createQueryLimit(clock),
    turns: createTurns(clock),
    events: createEventClient({
      clock,
      localHosts,
      resolve: () => Promise.reject(new Error('nothing is looked up here')),
      fetch: (url, init) => fetch(url, init),
    }),
    eventPool: createEventPool((error) => failures.push(error)),
    chance: () => 0.5,
    publicUrl: 'https://pay.example',
    retrySeconds: 60,
    ...changes,
  }

  const deliveries = (endpoint?: EndpointId): Promise<readonly DeliveryRow[]> => {
    const all = db
      .selectFrom('event_delivery')
      .selectAll()
      .where('merchant_id', '=', merchantId)
      .where('event_id', '>=', firstEvent)
    const some = endpoint === undefined ? all : all.where('endpoint_id', '=', endpoint)
    return some.orderBy('id').execute()
  }

  async function wakeOnly(ids?: readonly DeliveryId[]): Promise<void> {
    const due = (await deliveries()).filter(
      ({ due_at: dueAt }) => dueAt !== null && dueAt <= clock.now(),
    )
    for (const deliveryId of ids ?? due.map(({ id }) => id)) {
      await runMerchantEvent(worker, { merchantId, deliveryId })
    }
  }

  return {
    ...desk,
    clock,
    worker,
    log,
    deliveries,
    wakeOnly,
    async wake(ids) {
      await wakeOnly(ids)
      await worker.eventPool.idle()
      assert(failures.length === 0, `expected no failure, found ${String(failures[0])}`)
    },
    events: () =>
      db
        .selectFrom('merchant_event')
        .selectAll()
        .where('merchant_id', '=', merchantId)
        .where('id', '>=', firstEvent)
        .orderBy('id')
        .execute(),
    async listen() {
      const merchant = await startMerchant({ clock: () => clock.now() })
      merchants.push(merchant)
      localHosts.push(merchant.host)
      const made = await addEndpoint(db, testSealKey(), merchantId, merchant.url)
      assert(made !== undefined, 'a merchant may have this address')
      const secret = made.secret.reveal()
      merchant.setSecrets([secret])
      return { merchant, id: made.id, secret }
    },
    async sweepOnce() {
      const now = clock.now()
      const times = { now, overdueSince: addMs(now, -60_000), nextQueryAt: addMs(now, 60_000) }
      const counts = await sweep(db, worker.jobs, times)
      await runQueued(desk, worker)
      return counts.events
    },
    loseJobs: () => loseJobs(desk),
    async reset() {
      for (const merchant of merchants.splice(0)) await merchant.stop()
      await worker.eventPool.idle()
      for (const { id } of await findEndpoints(db, merchantId)) {
        await removeEndpoint(db, merchantId, id)
      }
      await loseJobs(desk)
      clock.set(addMs(new Date(), AHEAD_MS))
      // Ids of the same millisecond are of one test or the other.
      const last = Date.now()
      await waitFor('another millisecond', () => (Date.now() > last ? true : undefined))
      firstEvent = eventIdFrom(new Date())
    },
    async stop() {
      for (const merchant of merchants) await merchant.stop()
      await worker.eventPool.drain()
      await desk.stop()
    },
  }
}

interface Queued {
  readonly name: string
  readonly data: CompensationJob & MerchantEventJob
}

/** Runs the compensation jobs and empties the queues, as a worker does that is always awake. */
async function runQueued(desk: Desk, worker: WorkerDeps): Promise<void> {
  const { rows } = await sql<Queued>`
    SELECT name, data FROM pgboss.job WHERE name = 'compensation' AND state = 'created'
    AND start_after <= now() AND data ->> 'merchantId' = ${desk.merchantId}`.execute(desk.db)
  await loseJobs(desk)
  for (const { data } of rows) await runCompensation(worker, data, new AbortController().signal)
  await worker.eventPool.idle()
}

async function loseJobs({ db, merchantId }: Desk): Promise<void> {
  await sql`DELETE FROM pgboss.job WHERE data ->> 'merchantId' = ${merchantId}`.execute(db)
}
