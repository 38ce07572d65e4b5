import { sql } from 'kysely'
import { DecisionImpossible } from './decision.ts'
import type { Deciding, DecisionEffect } from './decision.ts'

/**
 * quarantined → received: what nobody knew may be known by now. If it is not, it waits again, with a new case.
 * Nobody else locks a quarantined row, so that its place in the order of locks does not matter.
 */
export async function judgeAnew({ trx, deps, item }: Deciding): Promise<DecisionEffect> {
  const text = item.evidence['notification']
  const id = typeof text === 'string' ? text : ''
  const [row] = await trx
    .updateTable('notification')
    .set({ state: 'received', quarantine_reason: null, due_at: deps.now(), applied_at: null })
    .where('merchant_id', '=', item.merchant_id)
    .where(sql<string>`id`, '=', id)
    .where('state', '=', 'quarantined')
    .returning('id')
    .execute()
  if (row === undefined) {
    throw new DecisionImpossible('no notification of this case waits for a decision')
  }
  const data = { merchantId: item.merchant_id, notificationIds: [row.id] }
  await deps.jobs.send(trx, 'order-status', [{ data }])
  return { notification: row.id }
}
