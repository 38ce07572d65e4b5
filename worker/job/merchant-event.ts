import { beginDelivery, delayDelivery, finishDelivery } from '#db/event-delivery'
import type { Delivery } from '#db/event-delivery'
import { findDeliveryEndpoint } from '#db/event-list'
import { unseal } from '#db/seal'
import { unreachable } from '#domain/assert'
import type { MerchantEventJob } from '#domain/job'
import { addMs } from '#domain/time'
import type { WorkerDeps } from '../deps.ts'

/** Longer than a call can take. */
const LEASE_MS = 60_000
/** An endpoint whose places are all taken is tried again by the sweeper. */
const CROWDED_MS = 5_000

/**
 * Wakes up one delivery. The call runs beside the job: the row is the record, and one slow endpoint must
 * not hold up the queue.
 */
export async function runMerchantEvent(deps: WorkerDeps, job: MerchantEventJob): Promise<void> {
  const { merchantId, deliveryId } = job
  const endpoint = await findDeliveryEndpoint(deps.db, merchantId, deliveryId)
  if (endpoint === undefined) return
  const now = deps.clock.now()
  if (!deps.eventPool.hasRoom(endpoint)) {
    return delayDelivery(deps.db, merchantId, deliveryId, addMs(now, CROWDED_MS))
  }
  const leaseUntil = addMs(now, LEASE_MS)
  const begun = await beginDelivery(deps.db, merchantId, deliveryId, { now, leaseUntil })
  switch (begun.kind) {
    case 'send':
      deps.eventPool.run(endpoint, () => deliver(deps, begun.delivery))
      return
    case 'paused':
    case 'done':
      return
    default:
      return unreachable(begun)
  }
}

async function deliver(deps: WorkerDeps, delivery: Delivery): Promise<void> {
  const { endpoint, eventId, body } = delivery
  const result = await deps.events.send({
    url: endpoint.url,
    id: eventId,
    body,
    secrets: secretsOf(deps, delivery),
  })
  await finishDelivery(deps.db, deps.jobs, delivery, result, Math.random())
}

function secretsOf(deps: WorkerDeps, { endpoint }: Delivery) {
  const current = unseal(deps.sealKey, endpoint.sealed, endpoint.id)
  const { previous_sealed: previous, previous_until: until } = endpoint
  const isValid = previous !== null && until !== null && deps.clock.now() < until
  return isValid ? [current, unseal(deps.sealKey, previous, endpoint.id)] : [current]
}
