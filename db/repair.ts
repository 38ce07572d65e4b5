import type { MerchantId } from '#domain/id'
import { appendAudit } from './case/audit.ts'
import type { Trx } from './database.ts'
import { countRepairs } from './metrics.ts'

/** What was missing, and was done by a machine that looked a second time. */
export type RepairKind =
  /** A verified callback that had not been applied. */
  | 'notification_applied'
  /** A payment whose callback has not come, or not yet. */
  | 'payment_found'
  /** A paid order that had no points. */
  | 'grant_created'
  /** Points that were on their way for too long. */
  | 'grant_sent'

export interface Repair {
  readonly merchantId: MerchantId
  readonly kind: RepairKind
  /** The rows that were repaired. */
  readonly ids: readonly string[]
  readonly at: Date
}

/**
 * Counts a repair and writes it into the audit chain, in the transaction that repairs where there is one. Call
 * it last: the chain's lock is the last of a unit of work.
 */
export async function recordRepair(trx: Trx, { merchantId, kind, ids, at }: Repair): Promise<void> {
  const [first] = ids
  if (first === undefined) return
  await countRepairs(trx, { [kind]: ids.length }, at)
  await appendAudit(trx, {
    merchantId,
    actor: 'machine',
    action: `repair.${kind}`,
    subject: first,
    reason: 'found undone when it was looked at again',
    content: { count: String(ids.length), ids: ids.join(' ') },
    at,
  })
}
