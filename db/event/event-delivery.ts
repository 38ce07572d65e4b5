import { ATTEMPT_DELAYS_SECONDS } from '#domain/event'
import type { DeliveryId, EndpointId, EventId, MerchantId } from '#domain/id'
import { openCases } from '../case/case.ts'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import type { EndpointRow } from './event-endpoint.ts'
import type { DeliveryRow } from './event-list.ts'
import type { Jobs } from '../job.ts'

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

export interface DeliveryTimes {
  readonly now: Date
  /** When a worker that died in the call is followed by the sweeper. */
  readonly leaseUntil: Date
}

const ATTEMPTS_MAX = BigInt(ATTEMPT_DELAYS_SECONDS.length)

/**
 * Takes a delivery that is due: counts the attempt and pushes `due_at`, so that a twin finds nothing to do
 * and a worker that dies in the call is followed by the sweeper.
 */
export async function beginDelivery(
  db: Db,
  jobs: Jobs,
  job: { readonly merchantId: MerchantId; readonly id: DeliveryId },
  times: DeliveryTimes,
): Promise<BeginDelivery> {
  return commit(db, 'event.begin', async (trx) => {
    const row = await lockDue(trx, job, times.now)
    if (row === undefined) return { kind: 'done' }
    const endpoint = await findEndpoint(trx, row.merchant_id, row.endpoint_id)
    if (endpoint === undefined) {
      // The address was taken away while the event was being written: it is not called any more.
      await moveToDead(trx, row)
      return { kind: 'done' }
    }
    if (row.attempts >= ATTEMPTS_MAX) {
      // The worker died in the last attempt; another one is none of the sixteen.
      await endDelivery(trx, row, { status: null })
      return { kind: 'done' }
    }
    const { paused_until: until } = endpoint
    if (row.attempts === 0n && until !== null && times.now < until) {
      await waitUntil(trx, jobs, row, { now: times.now, until })
      return { kind: 'paused', until }
    }
    return { kind: 'send', delivery: await take(trx, row, { endpoint, times }) }
  })
}

const lockDue = (
  trx: Trx,
  job: { readonly merchantId: MerchantId; readonly id: DeliveryId },
  now: Date,
): Promise<DeliveryRow | undefined> =>
  trx
    .selectFrom('event_delivery')
    .selectAll()
    .where('merchant_id', '=', job.merchantId)
    .where('id', '=', job.id)
    .where('state', '=', 'pending')
    .where('due_at', '<=', now)
    .forNoKeyUpdate()
    .skipLocked()
    .executeTakeFirst()

async function take(
  trx: Trx,
  row: DeliveryRow,
  { endpoint, times }: { readonly endpoint: EndpointRow; readonly times: DeliveryTimes },
): Promise<Delivery> {
  const attempt = row.attempts + 1n
  await updateOf(trx, row).set({ due_at: times.leaseUntil, attempts: attempt }).execute()
  const event = await trx
    .selectFrom('merchant_event')
    .select('body')
    .where('merchant_id', '=', row.merchant_id)
    .where('id', '=', row.event_id)
    .executeTakeFirstOrThrow()
  const { merchant_id: merchantId, id, event_id: eventId } = row
  return { merchantId, id, eventId, attempt, body: event.body, endpoint }
}

async function waitUntil(
  trx: Trx,
  jobs: Jobs,
  row: DeliveryRow,
  { now, until }: { readonly now: Date; readonly until: Date },
): Promise<void> {
  await updateOf(trx, row).set({ due_at: until }).execute()
  await wakeAt(trx, jobs, { merchantId: row.merchant_id, id: row.id }, { now, at: until })
}

const MS_PER_SECOND = 1000

/** Sends the job that takes a delivery up again. Rounded up: a job that comes early finds nothing due. */
export const wakeAt = (
  trx: Trx,
  jobs: Jobs,
  { merchantId, id }: { readonly merchantId: MerchantId; readonly id: DeliveryId },
  { now, at }: { readonly now: Date; readonly at: Date },
): Promise<void> =>
  jobs.send(trx, 'merchant-event', [
    {
      data: { merchantId, deliveryId: id },
      startAfterSeconds: Math.max(0, Math.ceil((at.getTime() - now.getTime()) / MS_PER_SECOND)),
    },
  ])

const updateOf = (trx: Trx, row: Pick<DeliveryRow, 'merchant_id' | 'id'>) =>
  trx
    .updateTable('event_delivery')
    .where('merchant_id', '=', row.merchant_id)
    .where('id', '=', row.id)
    .where('state', '=', 'pending')

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

type Ended = Pick<DeliveryRow, 'merchant_id' | 'id' | 'event_id' | 'endpoint_id' | 'attempts'>

/** False when it is over already, or another attempt has begun since. */
async function moveToDead(trx: Trx, row: Ended): Promise<boolean> {
  const moved = await updateOf(trx, row)
    .where('attempts', '=', row.attempts)
    .set({ state: 'dead', due_at: null })
    .returning('id')
    .execute()
  return moved.length === 1
}

/**
 * Gives a delivery up, and opens a case for a person.
 *
 * The case is not told as an event: that one would go to the same address, die as well, and open the next.
 */
export async function endDelivery(
  trx: Trx,
  row: Ended,
  last: { readonly status: number | null },
): Promise<void> {
  if (!(await moveToDead(trx, row))) return
  const evidence = { event: row.event_id, endpoint: row.endpoint_id, status: last.status }
  const { merchant_id: merchantId, id: subject } = row
  await openCases(trx, [{ merchantId, kind: 'event_dead', subject, evidence, isTold: false }])
}
