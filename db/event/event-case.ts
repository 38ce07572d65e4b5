import { sql } from 'kysely'
import { appendAudit } from '../case/audit.ts'
import type { Trx } from '../database.ts'
import type { Delivery } from './event-delivery.ts'

/**
 * Ends the cases about an event that has arrived after all: the one of this delivery, and those of addresses that are
 * not called any more. Audited as an operator's resend is. Call it last: the audit's lock is the last of a unit
 * of work.
 */
export async function resolveDead(
  trx: Trx,
  { merchantId, id, eventId }: Pick<Delivery, 'merchantId' | 'id' | 'eventId'>,
  at: Date,
): Promise<void> {
  const resolved = await trx
    .updateTable('open_case as c')
    .set({ state: 'resolved', resolved_at: at })
    .where('c.merchant_id', '=', merchantId)
    .where('c.kind', '=', 'event_dead')
    .where('c.state', '=', 'open')
    .where('c.subject', 'in', (from) =>
      from
        .selectFrom('event_delivery as d')
        .innerJoin('event_endpoint as e', (join) =>
          join.onRef('e.merchant_id', '=', 'd.merchant_id').onRef('e.id', '=', 'd.endpoint_id'),
        )
        .select(sql<string>`d.id`.as('id'))
        .where('d.merchant_id', '=', merchantId)
        .where('d.event_id', '=', eventId)
        .where((where) => where.or([where('d.id', '=', id), where('e.enabled', '=', false)])),
    )
    .returning(['c.id', 'c.kind', 'c.subject'])
    .execute()
  for (const item of resolved) {
    await appendAudit(trx, {
      merchantId,
      actor: 'merchant',
      action: 'case.retry',
      subject: item.id,
      reason: 'delivered after the shop had it sent again',
      content: { delivery: id, case_kind: item.kind, case_subject: item.subject },
      at,
    })
  }
}
