import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadBill } from '#db/bill/bill-load'
import type { LoadedLine } from '#db/bill/bill-copy'
import type { LoadedBill } from '#db/bill/bill-load'
import { reconcileDay } from '#db/bill/reconcile'
import { reconcileFund } from '#db/bill/reconcile-fund'
import type { DayToMatch, Matched } from '#db/bill/reconcile'
import { businessDateOf } from '#domain/business-day'
import type { RefundMoment } from '#domain/business-day'
import type { Desk } from './desk.ts'

/** One day's bill of a desk's vendor merchant; today's unless another is named. */
export interface BillDay {
  readonly businessDate: string
  readonly dayEndHour: number
  /** The day as a job hands it over. */
  toMatch(now?: Date): DayToMatch
  /** Another file is another version of the bill; which one does not matter. */
  load(lines: readonly LoadedLine[], path?: string): Promise<LoadedBill>
  /** Loads the day's fund bill, or that of another day. */
  loadFund(lines: readonly LoadedLine[], businessDate?: string): Promise<LoadedBill>
  /** Compares it; how many differences there are, where there is something to compare. */
  matchFund(now?: Date): Promise<number | undefined>
  /** Loads another version of the bill, its lines numbered, and matches it. */
  revise(lines: readonly LoadedLine[]): Promise<Matched | undefined>
  match(now?: Date): Promise<Matched | undefined>
  /** Kind, subject and state of what is not resolved. */
  found(): Promise<readonly string[]>
}

export interface WantedDay {
  readonly businessDate?: string
  readonly dayEndHour?: number
  readonly refundsBy?: RefundMoment
  readonly hasWalletNumbers?: true
}

interface Which {
  readonly kind: 'transaction' | 'fund'
  readonly businessDate: string
}

export const DAY_END_HOUR = 24

async function* once(lines: readonly LoadedLine[]): AsyncGenerator<readonly LoadedLine[]> {
  yield lines
}

export async function openBillDay(
  { db, merchantId, databaseUrl }: Pick<Desk, 'db' | 'merchantId' | 'databaseUrl'>,
  wanted: WantedDay = {},
): Promise<BillDay> {
  const {
    refundsBy = 'sent',
    hasWalletNumbers = false,
    dayEndHour = DAY_END_HOUR,
    businessDate = businessDateOf(new Date(), dayEndHour),
  } = wanted
  const { vendor_merchant_id: vendorMerchantId } = await db
    .selectFrom('channel_account')
    .select('vendor_merchant_id')
    .where('merchant_id', '=', merchantId)
    .limit(1)
    .executeTakeFirstOrThrow()
  const day = { merchantId, vendorMerchantId, businessDate }
  const load = (
    lines: readonly LoadedLine[],
    path = import.meta.path,
    which: Partial<Which> = {},
  ): Promise<LoadedBill> =>
    loadBill(databaseUrl, {
      ...day,
      kind: 'transaction',
      ...which,
      lines: once(lines.map((line, at) => (line.line === 0 ? { ...line, line: at + 1 } : line))),
      raw: { merchantId, path, headers: {} },
    })
  const toMatch = (now = new Date()): DayToMatch => ({
    ...day,
    channel: 'wechat_pay',
    dayEndHour,
    refundsBy,
    hasWalletNumbers,
    now,
  })
  const match = (now?: Date): Promise<Matched | undefined> => reconcileDay(db, toMatch(now))
  return {
    businessDate,
    dayEndHour,
    toMatch,
    load: (lines, path) => load(lines, path),
    loadFund: (lines, date = businessDate) =>
      withNewFile((path) => load(lines, path, { kind: 'fund', businessDate: date })),
    matchFund: (now) => reconcileFund(db, toMatch(now)),
    match,
    async revise(lines) {
      await withNewFile((path) =>
        load(
          lines.map((line, at) => ({ ...line, line: at + 1 })),
          path,
        ),
      )
      return match()
    },
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

/** A file with bytes that no other has, for as long as it is read. */
async function withNewFile<T>(use: (path: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'pingzhang-bill-day-'))
  const path = join(directory, 'bill')
  writeFileSync(path, crypto.randomUUID())
  try {
    return await use(path)
  } finally {
    rmSync(directory, { recursive: true, force: true })
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
