import { sql } from 'kysely'

/**
 * SQL: whether a person has a case about the notification `n`. One about its payment counts only where it is of
 * the kind for which the notification was put aside: another trouble of the same payment is not this one.
 */
export const notificationHasCase = sql<boolean>`EXISTS (
  SELECT 1 FROM open_case c WHERE c.merchant_id = n.merchant_id
  AND (c.evidence ->> 'notification' = n.id OR c.subject = n.id
       OR (c.kind = n.quarantine_reason AND c.subject = n.payment_number)))`
