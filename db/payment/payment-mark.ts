import { sql } from 'kysely'
import type { MerchantId, PaymentId } from '#domain/id'
import { parsePaymentId } from '#domain/id'
import type { PaymentFacts } from '#domain/notification'
import { openCases } from '../case/case.ts'
import type { Outcome } from './confirm-payment.ts'
import type { Trx } from '../database.ts'
import { askAboutRefund } from '../refund/refund-at-vendor.ts'

/**
 * What a success tells of refunds, under the order's lock: that none is possible any more, or that all of it
 * went back already (payment rules, section 3).
 */
export async function writeMarks(
  trx: Trx,
  merchantId: MerchantId,
  outcomes: readonly Outcome[],
): Promise<void> {
  await writeFinal(trx, merchantId, idsOf(outcomes, 'isFinal'))
  await askAboutReturned(trx, merchantId, idsOf(outcomes, 'isReturned'))
  await askAboutRefund(trx, merchantId, idsOf(outcomes, 'hasRefund'))
}

const idsOf = (
  outcomes: readonly Outcome[],
  mark: keyof Pick<PaymentFacts, 'isFinal' | 'isReturned' | 'hasRefund'>,
): PaymentId[] =>
  outcomes
    .filter(({ decision: { kind } }) => kind === 'pay' || kind === 'already_paid')
    .filter(({ claim: { facts } }) => facts[mark] === true)
    .map(({ claim: { facts } }) => parsePaymentId(facts.paymentNumber))
    .filter((id) => id !== undefined)

async function writeFinal(trx: Trx, merchantId: MerchantId, ids: PaymentId[]): Promise<void> {
  if (ids.length === 0) return
  await trx
    .updateTable('payment')
    .set({ refundable: false })
    .where('merchant_id', '=', merchantId)
    .where('id', 'in', ids)
    .where('refundable', '=', true)
    .execute()
}

/**
 * A refund that nobody told us of has no number, so a person looks for it. News of it that waits for its
 * payment, and refunds of ours that may be the ones, explain it.
 */
async function askAboutReturned(trx: Trx, merchantId: MerchantId, ids: PaymentId[]): Promise<void> {
  if (ids.length === 0) return
  const rows = await trx
    .selectFrom('payment as p')
    .select(['p.id', 'p.refund_reserved'])
    .where('p.merchant_id', '=', merchantId)
    .where('p.id', 'in', ids)
    .where(sql<boolean>`p.refund_reserved < coalesce(p.received_amount, p.amount)`)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('notification as n')
            .select('n.id')
            .whereRef('n.merchant_id', '=', 'p.merchant_id')
            .where('n.state', '=', 'received')
            .where(sql<string>`n.facts ->> 'kind'`, '=', 'refund')
            .where(sql<boolean>`n.facts ->> 'paymentNumber' = p.id`),
        ),
      ),
    )
    .execute()
  await openCases(
    trx,
    rows.map((row) => ({
      merchantId,
      kind: 'refund_at_vendor',
      subject: row.id,
      evidence: { known_refunds: row.refund_reserved.toString() },
    })),
  )
}
