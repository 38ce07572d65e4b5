import type { MerchantId, PaymentId } from '#domain/id'
import { openCases } from '../case/case.ts'
import type { Trx } from '../database.ts'

/**
 * A vendor that says "refunded" and not by which refund: a person looks where none of ours explains it.
 *
 * Such a refund was made at the vendor's own console (payment rules, section 4). Its amount is not in the
 * message, so nothing is recorded by machine.
 */
export async function askAboutRefund(
  trx: Trx,
  merchantId: MerchantId,
  ids: readonly PaymentId[],
): Promise<void> {
  if (ids.length === 0) return
  const explained = await findExplained(trx, merchantId, ids)
  await openCases(
    trx,
    ids
      .filter((id) => !explained.has(id))
      .map((id) => ({
        merchantId,
        kind: 'refund_at_vendor',
        subject: id,
        evidence: { known_refunds: '0' },
      })),
  )
}

/** Of these, the payments of which the vendor has taken a refund of ours, or may have. */
async function findExplained(
  trx: Trx,
  merchantId: MerchantId,
  ids: readonly PaymentId[],
): Promise<Set<PaymentId>> {
  const rows = await trx
    .selectFrom('refund')
    .select('payment_id')
    .where('merchant_id', '=', merchantId)
    .where('payment_id', 'in', [...ids])
    // One that the vendor took and could not carry out has left its mark there, too.
    .where((where) =>
      where.or([
        where('state', 'in', ['sent', 'accepted', 'abnormal', 'succeeded']),
        where('channel_refund_id', 'is not', null),
      ]),
    )
    .execute()
  return new Set(rows.map((row) => row.payment_id))
}
