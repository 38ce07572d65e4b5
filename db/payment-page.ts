import type { PaymentId } from '#domain/id'
import type { Db } from './database.ts'
import type { PaymentRow } from './payment.ts'

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
