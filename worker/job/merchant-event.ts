import { beginDelivery } from '#db/event/event-delivery'
import type { Delivery } from '#db/event/event-delivery'
import { findDeliveryPlace } from '#db/event/event-list'
import { finishDelivery } from '#db/event/event-result'
import type { AttemptResult } from '#db/event/event-result'
import { unseal } from '#db/seal'
import { unreachable } from '#domain/assert'
import type { MerchantEventJob } from '#domain/job'
import type { Secret } from '#domain/secret'
import { addMs } from '#domain/time'
import type { WorkerDeps } from '../deps.ts'

/** Longer than a call can take. */
const LEASE_MS = 60_000

/**
 * Wakes up one delivery. It runs beside the job: the row is the record, and one slow endpoint must not hold
 * up the queue. The row is taken when there is a place for the call, not before.
 */
export async function runMerchantEvent(deps: WorkerDeps, job: MerchantEventJob): Promise<void> {
  const { merchantId, deliveryId } = job
  const place = await findDeliveryPlace(deps.db, merchantId, deliveryId)
  if (place === undefined) return
  deps.eventPool.add({ ...place, delivery: deliveryId, run: () => begin(deps, job) })
}

async function begin(
  deps: WorkerDeps,
  { merchantId, deliveryId }: MerchantEventJob,
): Promise<void> {
  const now = deps.clock.now()
  const times = { now, leaseUntil: addMs(now, LEASE_MS) }
  const begun = await beginDelivery(deps.db, deps.jobs, { merchantId, id: deliveryId }, times)
  switch (begun.kind) {
    case 'send':
      return deliver(deps, begun.delivery)
    case 'paused':
    case 'done':
      return
    default:
      return unreachable(begun)
  }
}

async function deliver(deps: WorkerDeps, delivery: Delivery): Promise<void> {
  const result = await attempt(deps, delivery)
  await finishDelivery(deps.db, deps.jobs, delivery, result, deps.chance())
}

async function attempt(deps: WorkerDeps, delivery: Delivery): Promise<AttemptResult> {
  const secrets = openSecrets(deps, delivery)
  if (secrets === undefined) {
    // Counted like any failure: it ends in a case, where a throw would come back every minute for ever.
    const startedAt = deps.clock.now()
    return { status: undefined, error: 'secret does not open', startedAt, elapsedMs: 0 }
  }
  const { endpoint, eventId: id, body } = delivery
  return deps.events.send({ url: endpoint.url, id, body, secrets })
}

/** The current one first. `undefined`: sealed with another key than this installation's. */
function openSecrets(deps: WorkerDeps, { endpoint }: Delivery): readonly Secret[] | undefined {
  const { previous_sealed: previous, previous_until: until } = endpoint
  const isValid = previous !== null && until !== null && deps.clock.now() < until
  const sealed = isValid ? [endpoint.sealed, previous] : [endpoint.sealed]
  try {
    return sealed.map((bytes) => unseal(deps.sealKey, bytes, endpoint.id))
  } catch (error) {
    deps.log.error({ endpoint: endpoint.id, error: String(error) }, 'event secret does not open')
    return undefined
  }
}
