import { sql } from 'kysely'
import { DecisionImpossible } from './decision.ts'
import type { Deciding, DecisionEffect } from './decision.ts'

/** dead → pending: the whole schedule once more, from the first attempt; an address that rests is called. */
export async function resendDead({ trx, deps, item }: Deciding): Promise<DecisionEffect> {
  const { merchant_id: merchantId, subject } = item
  const [delivery] = await trx
    .updateTable('event_delivery as d')
    .from('event_endpoint as e')
    .whereRef('e.merchant_id', '=', 'd.merchant_id')
    .whereRef('e.id', '=', 'd.endpoint_id')
    .where('e.enabled', '=', true)
    .where('d.merchant_id', '=', merchantId)
    .where(sql<string>`d.id`, '=', subject)
    .where('d.state', '=', 'dead')
    .set({ state: 'pending', attempts: 0n, due_at: deps.now() })
    .returning(['d.id', 'd.endpoint_id'])
    .execute()
  if (delivery === undefined) {
    throw new DecisionImpossible(
      'it was sent again meanwhile, or its address is not called any more',
    )
  }
  await trx
    .updateTable('event_endpoint')
    .set({ paused_until: null })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', delivery.endpoint_id)
    .execute()
  await deps.jobs.send(trx, 'merchant-event', [{ data: { merchantId, deliveryId: delivery.id } }])
  return { delivery: delivery.id }
}
