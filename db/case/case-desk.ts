import { sql } from 'kysely'
import type { CaseId, MerchantId, PaymentId } from '#domain/id'
import { parsePaymentId, parseRefundId } from '#domain/id'
import type { CaseState } from '#domain/state'
import type { CaseRow } from './case-list.ts'
import type { Db } from '../database.ts'
import type { PaymentRow } from '../payment/payment.ts'
import { findPayment } from '../payment/payment.ts'

/** A case with the name of its merchant, for an operator. */
export interface DeskCase extends CaseRow {
  readonly merchant_name: string
}

export interface DeskFilter {
  readonly merchantId?: MerchantId | undefined
  readonly state?: CaseState | undefined
  readonly kind?: string | undefined
  readonly limit: number
}

/** Cases of all merchants, the oldest first. */
export function listCases(db: Db, filter: DeskFilter): Promise<DeskCase[]> {
  let query = desk(db).orderBy('c.id').limit(filter.limit)
  if (filter.merchantId !== undefined) {
    query = query.where('c.merchant_id', '=', filter.merchantId)
  }
  if (filter.state !== undefined) query = query.where('c.state', '=', filter.state)
  if (filter.kind !== undefined) query = query.where('c.kind', '=', filter.kind)
  return query.execute()
}

/** A case by its id alone; `undefined` when there is none. */
export const findCase = (db: Db, id: CaseId): Promise<DeskCase | undefined> =>
  desk(db).where('c.id', '=', id).executeTakeFirst()

const desk = (db: Db) =>
  db
    .selectFrom('open_case as c')
    .innerJoin('merchant as m', 'm.id', 'c.merchant_id')
    .selectAll('c')
    .select('m.name as merchant_name')

/** Names of ids in the evidence of a case: ours, and those of a job that died. */
const EVIDENCE_NAMES = ['payment', 'paymentId', 'refund', 'refundId', 'grantId'] as const

/** The payment that a case is about, by its subject or its evidence; `undefined` when it is about none. */
export async function findCasePayment(
  db: Db,
  item: Pick<CaseRow, 'merchant_id' | 'subject' | 'evidence'>,
): Promise<PaymentRow | undefined> {
  const texts = [item.subject, ...EVIDENCE_NAMES.map((name) => item.evidence[name])]
  for (const text of texts) {
    if (typeof text !== 'string') continue
    const id = parsePaymentId(text) ?? (await findPaymentOf(db, item.merchant_id, text))
    const found = id && (await findPayment(db, item.merchant_id, id))
    if (found !== undefined) return found.payment
  }
  return undefined
}

async function findPaymentOf(
  db: Db,
  merchantId: MerchantId,
  text: string,
): Promise<PaymentId | undefined> {
  const refundId = parseRefundId(text)
  if (refundId !== undefined) {
    const refund = await db
      .selectFrom('refund')
      .select('payment_id')
      .where('merchant_id', '=', merchantId)
      .where('id', '=', refundId)
      .executeTakeFirst()
    return refund?.payment_id
  }
  const grant = await db
    .selectFrom('points_grant as g')
    .innerJoin('customer_order as o', (join) =>
      join.onRef('o.merchant_id', '=', 'g.merchant_id').onRef('o.id', '=', 'g.order_id'),
    )
    .select('o.paid_payment_id')
    .where('g.merchant_id', '=', merchantId)
    .where(sql<string>`g.id`, '=', text)
    .executeTakeFirst()
  return grant?.paid_payment_id ?? undefined
}

/** A decision as the audit holds it. */
export interface MadeDecision {
  readonly at: Date
  readonly actor: string
  readonly action: string
  readonly reason: string
  readonly content: Readonly<Record<string, unknown>>
}

/** What was decided about a case, the oldest first; several times where it was kept open. */
export const findDecisions = (
  db: Db,
  item: Pick<CaseRow, 'merchant_id' | 'id'>,
): Promise<MadeDecision[]> =>
  db
    .selectFrom('audit')
    .select(['at', 'actor', 'action', 'reason', 'content'])
    .where('merchant_id', '=', item.merchant_id)
    // A refund that is tried again resolves its case, too, and names it.
    .where((where) =>
      where.or([where('subject', '=', item.id), where(sql`content ->> 'case'`, '=', item.id)]),
    )
    .orderBy('place')
    .execute()
