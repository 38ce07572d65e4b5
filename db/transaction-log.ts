import type { QueryCreator } from 'kysely'
import type { MerchantId, PaymentId, RefundId } from '#domain/id'
import { newLogId } from '#domain/id'
import { around } from '#failpoint'
import type { Db } from './database.ts'
import type { LogKind, Schema } from './schema.ts'

export interface LogEntry {
  readonly merchantId: MerchantId
  readonly channel: string
  readonly paymentId: PaymentId | undefined
  readonly refundId?: RefundId
  readonly kind: LogKind
  /** Redacted already. */
  readonly content: Readonly<Record<string, unknown>>
}

/** Appends to the transaction log. */
export async function appendLog(db: Db, entries: readonly LogEntry[]): Promise<void> {
  if (entries.length === 0) return
  await around('log.append', () => insertLog(db, entries).execute())
}

/** As a part of another statement, where one round trip less counts. There must be an entry. */
export const insertLog = (creator: QueryCreator<Schema>, entries: readonly LogEntry[]) =>
  creator.insertInto('transaction_log').values(
    entries.map((entry) => ({
      merchant_id: entry.merchantId,
      id: newLogId(),
      channel: entry.channel,
      payment_id: entry.paymentId ?? null,
      refund_id: entry.refundId ?? null,
      kind: entry.kind,
      content: JSON.stringify(entry.content, withoutNul),
    })),
  )

/** PostgreSQL refuses the character NUL in text and JSON; cleaned before writing, never in the JSON text. */
const withoutNul = (_key: string, value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll('\u0000', '\ufffd') : value
