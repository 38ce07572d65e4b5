import type { PaymentId } from '#domain/id'
import type { Db } from '../database.ts'
import type { PaymentRow } from './payment.ts'

/** The attempt that has taken this one's place: a younger one of its order that can still be paid, or was. */
export async function findSuccessor(db: Db, payment: PaymentRow): Promise<PaymentId | undefined> {
  const row = await db
    .selectFrom('payment as own')
    .innerJoin('payment as other', (join) =>
      join
        .onRef('other.merchant_id', '=', 'own.merchant_id')
        .onRef('other.order_id', '=', 'own.order_id')
        // In the database: a Date has milliseconds, the column has microseconds.
        .onRef('other.created_at', '>', 'own.created_at'),
    )
    .select('other.id')
    .where('own.merchant_id', '=', payment.merchant_id)
    .where('own.id', '=', payment.id)
    .where('other.state', 'in', ['pending', 'paid'])
    .orderBy('other.created_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.id
}

/** A payment by its id alone, for the customer who holds its address; a read without locks. */
export async function findPaymentById(db: Db, id: PaymentId): Promise<PaymentRow | undefined> {
  return (
    db
      .selectFrom('payment')
      .selectAll()
      // The key begins with the merchant: naming them all lets the database use it.
      .where('merchant_id', 'in', db.selectFrom('merchant').select('id'))
      .where('id', '=', id)
      .executeTakeFirst()
  )
}
