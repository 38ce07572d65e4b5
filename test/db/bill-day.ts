import { loadBill } from '#db/bill-load'
import type { LoadedBill, LoadedLine } from '#db/bill-load'
import { reconcileDay } from '#db/reconcile'
import type { Matched } from '#db/reconcile'
import { businessDateOf } from '#domain/business-day'
import type { Desk } from './desk.ts'

/** Today's bill of a desk's vendor merchant. */
export interface BillDay {
  readonly businessDate: string
  /** Another file is another version of the bill; which one does not matter. */
  load(lines: readonly LoadedLine[], path?: string): Promise<LoadedBill>
  match(now?: Date): Promise<Matched | undefined>
  /** Kind, subject and state of what is not resolved. */
  found(): Promise<readonly string[]>
}

export const DAY_END_HOUR = 24

async function* once(lines: readonly LoadedLine[]): AsyncGenerator<readonly LoadedLine[]> {
  yield lines
}

export async function openBillDay({ db, merchantId, databaseUrl }: Desk): Promise<BillDay> {
  const { vendor_merchant_id: vendorMerchantId } = await db
    .selectFrom('channel_account')
    .select('vendor_merchant_id')
    .where('merchant_id', '=', merchantId)
    .executeTakeFirstOrThrow()
  const businessDate = businessDateOf(new Date(), DAY_END_HOUR)
  const day = { merchantId, vendorMerchantId, businessDate }
  return {
    businessDate,
    load: (lines, path = import.meta.path) =>
      loadBill(databaseUrl, {
        ...day,
        kind: 'transaction',
        lines: once(lines),
        raw: { merchantId, path, headers: {} },
      }),
    match: (now = new Date()) =>
      reconcileDay(db, { ...day, channel: 'wechat_pay', dayEndHour: DAY_END_HOUR, now }),
    async found() {
      const rows = await db
        .selectFrom('discrepancy')
        .select(['kind', 'subject', 'state'])
        .where('merchant_id', '=', merchantId)
        .where('state', '!=', 'resolved')
        .execute()
      return rows.map(({ kind, subject, state }) => `${kind} ${subject} ${state}`).toSorted()
    },
  }
}

/** A line that says nothing yet but how much. */
export const billLine = (line: number, said: Partial<LoadedLine>): LoadedLine => ({
  line,
  kind: 'payment',
  paymentNumber: '',
  channelPaymentId: '',
  refundNumber: '',
  channelRefundId: '',
  amountMinor: 100n,
  fee: '',
  rate: '',
  stateText: 'SUCCESS',
  at: '',
  ...said,
})
