import pino from 'pino'
import { boundsOf, businessDateOf } from '#domain/business-day'
import type { PaymentId } from '#domain/id'
import { addMs } from '#domain/time'
import { startWorker } from '#worker/start'
import { APP, startTestMerchant } from '../emulator/pingpp/merchant.ts'
import type { PingppEmulator } from '../emulator/pingpp/emulator.ts'
import { buyAt, openCounter, payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { waitFor } from '../support/wait.ts'
import { tillOf } from './pingpp-scene.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const PATIENCE_MS = 60_000
const EVERY_SECOND = '* * * * * *'
const NEVER = '0 0 0 1 1 *'

/** Days of an account at Ping++, with the real worker; nothing but its bill tells what a callback did not. */
export interface BillScene {
  readonly platform: Platform
  readonly vendor: PingppEmulator
  readonly shop: Counter['shop']
  /** The account's first day, and the one after it. */
  readonly days: readonly [first: string, second: string]
  /** All clocks go forward together: ours and the vendor's. `time` is of China. */
  passTo(date: string, time: string): void
  buy(amount?: number): Promise<PaymentId>
  /** The customer pays, and it is paid here. */
  pay(id: PaymentId): Promise<void>
  /** The customer pays, and nobody tells us. */
  payUnheard(id: PaymentId): Promise<void>
  /** The wallet's own number of it: at the vendor, and as the shop is shown it. */
  walletNumbersOf(
    id: PaymentId,
  ): Promise<{ readonly there: string | undefined; readonly here: string | null }>
  /** From now on we have another one than the wallet. */
  forgetWalletNumber(id: PaymentId): Promise<void>
  /** Given back, and known so here: the vendor's number of the refund. */
  refund(id: PaymentId, amount: number): Promise<string>
  /** The run of a day once it is in this state. */
  waitForRun(date: string, state: string): Promise<Run>
  /** Kind, subject and state of everything that was found for a day. */
  found(date: string): Promise<readonly string[]>
  /** Lines of all bills, and files, that are stored of a day. */
  stored(date: string): Promise<{ readonly bills: number; readonly lines: number }>
  /** The vendor tells what it counts on a day, whatever its lists say. */
  tellSummary(date: string): void
  /** As soon as so many such messages are done with. */
  waitForSummaries(count: number): Promise<unknown>
  casesOf(
    subject: string,
  ): Promise<readonly { readonly kind: string; readonly evidence: unknown }[]>
  stop(): Promise<void>
}

interface Run {
  readonly id: string
  readonly state: string
  readonly note: string | null
  readonly vendor_merchant_id: string
}

export async function openBillScene(databaseUrl: string): Promise<BillScene> {
  let aheadMs = 0
  const clock = { now: (): Date => addMs(new Date(), aheadMs) }
  const passTo = (date: string, time: string): void => {
    const moment = Date.parse(`${date}T${time}+08:00`)
    aheadMs += moment - clock.now().getTime()
  }
  const days = daysFrom(clock.now())
  const merchant = await startTestMerchant({ clock: clock.now })
  const localHosts = [new URL(merchant.emulator.url).host]
  const platform = await startPlatform({ databaseUrl, localHosts, clock, hasWorker: false })
  const counter = await openCounter(platform, platform, tillOf(merchant))
  const worker = await startWorker({
    databaseUrl,
    clock,
    sealKey: testSealKey(),
    localHosts: platform.localHosts,
    log: pino({ level: process.env['PINGZHANG_TEST_LOG'] ?? 'silent' }),
    compensationSeconds: 3600,
    requireDurable: false,
    pointsUrl: platform.points.url,
    publicUrl: platform.gateway.url,
    retrySeconds: 3600,
    querySeconds: 3600,
    pollingSeconds: 0.5,
    sweepPattern: NEVER,
    billPattern: EVERY_SECOND,
  })
  // No bill of a day before its account is asked for.
  const since = boundsOf(days[0], 24).from
  await platform.db.updateTable('channel_account').set({ created_at: since }).execute()
  return {
    platform,
    vendor: merchant.emulator,
    shop: counter.shop,
    days,
    passTo,
    ...salesAt(counter, merchant.emulator, platform),
    ...readersOf(platform, counter),
    async stop() {
      await worker.stop()
      await platform.stop()
      await merchant.stop()
    },
  }
}

/** Days to come, so that no test runs over a midnight. */
function daysFrom(now: Date): readonly [string, string] {
  const dayAfter = (days: number) => businessDateOf(addMs(now, days * DAY_MS), 24)
  return [dayAfter(2), dayAfter(3)]
}

function salesAt(counter: Counter, vendor: PingppEmulator, { db }: Platform) {
  const { shop } = counter
  return {
    buy: (amount = 1999) => buyAt(counter, { amount }),
    async pay(id: PaymentId) {
      await payAt(counter, id)
      await shop.waitForState(id, 'paid')
    },
    async payUnheard(id: PaymentId) {
      vendor.setKnobs({ dropCallbacks: true, dropForever: true })
      const result = vendor.pay(id)
      if (result.kind === 'refused') throw new Error(`expected to pay, found ${result.reason}`)
      await result.done
      vendor.setKnobs({ dropCallbacks: false, dropForever: false })
    },
    async walletNumbersOf(id: PaymentId) {
      const there = vendor.order(id)?.payment?.transactionNumber
      return { there, here: (await shop.read(id)).wallet_payment_id }
    },
    async forgetWalletNumber(id: PaymentId) {
      const row = { wallet_payment_id: 'another' }
      await db.updateTable('payment').set(row).where('id', '=', id).execute()
    },
    tellSummary: (date: string) => void vendor.sendDailySummary({ app: APP, day: date }),
    async refund(id: PaymentId, amount: number) {
      const { id: refund } = await shop.refund(id, amount)
      return waitFor(`refund ${refund}`, async () => {
        const row = await db
          .selectFrom('refund')
          .select(['id', 'state', 'channel_refund_id'])
          .where('payment_id', '=', id)
          .executeTakeFirst()
        return row?.state === 'succeeded' ? (row.channel_refund_id ?? undefined) : undefined
      })
    },
  }
}

function readersOf({ db }: Platform, { accountId }: Counter) {
  const owner = db
    .selectFrom('channel_account')
    .select('vendor_merchant_id')
    .where('id', '=', accountId)
  return {
    waitForRun: (date: string, state: string): Promise<Run> =>
      waitFor(
        `run ${date} ${state}`,
        async () => {
          const run = await db
            .selectFrom('schedule_run')
            .select(['id', 'state', 'note', 'vendor_merchant_id'])
            .where('vendor_merchant_id', '=', owner)
            .where('business_date', '=', date)
            .executeTakeFirst()
          return run?.state === state ? run : undefined
        },
        PATIENCE_MS,
      ),
    async found(date: string): Promise<readonly string[]> {
      const rows = await db
        .selectFrom('discrepancy')
        .select(['kind', 'subject', 'state'])
        .where('vendor_merchant_id', '=', owner)
        .where('business_date', '=', date)
        .execute()
      return rows.map(({ kind, subject, state }) => `${kind} ${subject} ${state}`).toSorted()
    },
    waitForSummaries: (count: number) =>
      waitFor(`${count} summaries`, async () => {
        const rows = await db
          .selectFrom('notification')
          .select('facts')
          .where('state', '=', 'applied')
          .execute()
        const told = rows.filter(({ facts }) => facts['summary'] !== undefined)
        return told.length === count ? true : undefined
      }),
    casesOf: (subject: string) =>
      db
        .selectFrom('open_case')
        .select(['kind', 'evidence'])
        .where('subject', '=', subject)
        .execute(),
    async stored(date: string) {
      const bills = await db
        .selectFrom('bill')
        .select('lines')
        .where('vendor_merchant_id', '=', owner)
        .where('business_date', '=', date)
        .execute()
      const lines = await db
        .selectFrom('bill_line')
        .select('line')
        .where('business_date', '=', date)
        .execute()
      return { bills: bills.length, lines: lines.length }
    },
  }
}
