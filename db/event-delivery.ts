import { sql } from 'kysely'
import { nextAttemptAt } from '#domain/event'
import { newLogId } from '#domain/id'
import type { DeliveryId, EndpointId, EventId, MerchantId } from '#domain/id'
import { addMs } from '#domain/time'
import { openCases } from './case.ts'
import type { Db, Trx } from './database.ts'
import type { EndpointRow } from './event-endpoint.ts'
import type { Jobs } from './job.ts'

/** A delivery that this worker has taken: its attempt is counted before the call. */
export interface Delivery {
  readonly merchantId: MerchantId
  readonly id: DeliveryId
  readonly eventId: EventId
  readonly attempt: bigint
  readonly body: string
  readonly endpoint: EndpointRow
}

export type BeginDelivery =
  | { readonly kind: 'send'; readonly delivery: Delivery }
  /** The endpoint rests after failures; a first attempt waits for it. */
  | { readonly kind: 'paused'; readonly until: Date }
  | { readonly kind: 'done' }

/**
 * Takes a delivery that is due: counts the attempt and pushes `due_at`, so that a twin finds nothing to do
 * and a worker that dies in the call is followed by the sweeper.
 */
export async function beginDelivery(
  db: Db,
  merchantId: MerchantId,
  id: DeliveryId,
  { now, leaseUntil }: { readonly now: Date; readonly leaseUntil: Date },
): Promise<BeginDelivery> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .selectFrom('event_delivery')
      .selectAll()
      .where('merchant_id', '=', merchantId)
      .where('id', '=', id)
      .where('state', '=', 'pending')
      .where('due_at', '<=', now)
      .forNoKeyUpdate()
      .skipLocked()
      .executeTakeFirst()
    const endpoint = row && (await findEndpoint(trx, merchantId, row.endpoint_id))
    if (row === undefined || endpoint === undefined) return { kind: 'done' }
    const pausedUntil = endpoint.paused_until
    const waits = row.attempts === 0n && pausedUntil !== null && now < pausedUntil
    await trx
      .updateTable('event_delivery')
      .set(waits ? { due_at: pausedUntil } : { due_at: leaseUntil, attempts: row.attempts + 1n })
      .where('merchant_id', '=', merchantId)
      .where('id', '=', id)
      .execute()
    if (waits) return { kind: 'paused', until: pausedUntil }
    const event = await trx
      .selectFrom('merchant_event')
      .select('body')
      .where('merchant_id', '=', merchantId)
      .where('id', '=', row.event_id)
      .executeTakeFirstOrThrow()
    const attempt = row.attempts + 1n
    const { event_id: eventId } = row
    return {
      kind: 'send',
      delivery: { merchantId, id, eventId, attempt, body: event.body, endpoint },
    }
  })
}

const findEndpoint = (
  trx: Trx,
  merchantId: MerchantId,
  id: EndpointId,
): Promise<EndpointRow | undefined> =>
  trx
    .selectFrom('event_endpoint')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('enabled', '=', true)
    .executeTakeFirst()

/** What came of an attempt. A status of 200 to 299 is success; anything else, and nothing, is not. */
export interface AttemptResult {
  readonly status: number | undefined
  readonly error: string | undefined
  readonly startedAt: Date
  readonly elapsedMs: number
}

export const isDelivered = ({ status }: AttemptResult): boolean =>
  status !== undefined && status >= 200 && status < 300

/** Keeps the attempt, and what follows: delivered, the next attempt, or after the last a case. */
export async function finishDelivery(
  db: Db,
  jobs: Jobs,
  delivery: Delivery,
  result: AttemptResult,
  chance: number,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await keepAttempt(trx, delivery, result)
    if (isDelivered(result)) {
      await markDelivered(trx, delivery, result)
      return
    }
    await countFailure(trx, delivery, result)
    const next = nextAttemptAt(Number(delivery.attempt), result.startedAt, chance)
    if (next === undefined) await markDead(trx, delivery, result)
    else await planAttempt(trx, jobs, delivery, { next, now: result.startedAt })
  })
}

const keepAttempt = (
  trx: Trx,
  { merchantId, id, attempt }: Delivery,
  { status, error, elapsedMs, startedAt }: AttemptResult,
): Promise<unknown> =>
  trx
    .insertInto('merchant_event_attempt')
    .values({
      merchant_id: merchantId,
      id: newLogId(),
      delivery_id: id,
      attempt,
      status: status === undefined ? null : BigInt(status),
      error: error ?? null,
      elapsed_ms: BigInt(elapsedMs),
      at: startedAt,
    })
    .execute()

async function markDelivered(
  trx: Trx,
  { merchantId, id, endpoint }: Delivery,
  { startedAt }: AttemptResult,
): Promise<void> {
  await trx
    .updateTable('event_delivery')
    .set({ state: 'delivered', due_at: null, delivered_at: startedAt })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .execute()
  if (endpoint.failures === 0n && endpoint.paused_until === null) return
  await trx
    .updateTable('event_endpoint')
    .set({ failures: 0n, paused_until: null })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', endpoint.id)
    .execute()
}

/** Failures in a row after which first attempts wait; retries go on and find out when it is well again. */
const FAILURES_BEFORE_PAUSE = 5n
const PAUSE_MS = 30_000
const PAUSE_MS_MAX = 15 * 60_000

async function countFailure(
  trx: Trx,
  { merchantId, endpoint }: Delivery,
  { startedAt }: AttemptResult,
): Promise<void> {
  const { failures } = await trx
    .updateTable('event_endpoint')
    .set({ failures: sql`failures + 1` })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', endpoint.id)
    .returning('failures')
    .executeTakeFirstOrThrow()
  if (failures < FAILURES_BEFORE_PAUSE) return
  const doubled = PAUSE_MS * 2 ** Math.min(10, Number(failures - FAILURES_BEFORE_PAUSE))
  await trx
    .updateTable('event_endpoint')
    .set({ paused_until: addMs(startedAt, Math.min(doubled, PAUSE_MS_MAX)) })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', endpoint.id)
    .execute()
}

async function markDead(
  trx: Trx,
  { merchantId, id, eventId, endpoint }: Delivery,
  result: AttemptResult,
): Promise<void> {
  await trx
    .updateTable('event_delivery')
    .set({ state: 'dead', due_at: null })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .execute()
  const evidence = { event: eventId, endpoint: endpoint.id, status: result.status }
  await openCases(trx, [{ merchantId, kind: 'event_dead', subject: id, evidence }])
}

const MS_PER_SECOND = 1000

async function planAttempt(
  trx: Trx,
  jobs: Jobs,
  { merchantId, id }: Delivery,
  { next, now }: { readonly next: Date; readonly now: Date },
): Promise<void> {
  await trx
    .updateTable('event_delivery')
    .set({ due_at: next })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .execute()
  const startAfterSeconds = Math.ceil((next.getTime() - now.getTime()) / MS_PER_SECOND)
  await jobs.send(trx, 'merchant-event', [
    { data: { merchantId, deliveryId: id }, startAfterSeconds },
  ])
}

/** Leaves a delivery for later without counting an attempt. */
export async function delayDelivery(
  db: Db,
  merchantId: MerchantId,
  id: DeliveryId,
  dueAt: Date,
): Promise<void> {
  await db
    .updateTable('event_delivery')
    .set({ due_at: dueAt })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .execute()
}

/** Sends an event again to every address that is called now, from the first attempt. */
export async function resendEvent(
  db: Db,
  jobs: Jobs,
  { merchantId, id }: { readonly merchantId: MerchantId; readonly id: EventId },
  now: Date,
): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const again = await trx
      .updateTable('event_delivery as d')
      .from('event_endpoint as e')
      .whereRef('e.merchant_id', '=', 'd.merchant_id')
      .whereRef('e.id', '=', 'd.endpoint_id')
      .where('e.enabled', '=', true)
      .where('d.merchant_id', '=', merchantId)
      .where('d.event_id', '=', id)
      .where('d.state', 'in', ['delivered', 'dead'])
      .set({ state: 'pending', attempts: 0n, due_at: now })
      .returning('d.id')
      .execute()
    await jobs.send(
      trx,
      'merchant-event',
      again.map((row) => ({ data: { merchantId, deliveryId: row.id } })),
    )
    return again.length
  })
}
