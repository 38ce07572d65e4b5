import pino from 'pino'
import { assert } from '#domain/assert'
import { addDays, businessDateOf } from '#domain/business-day'
import { parseRefundId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import { Secret } from '#domain/secret'
import { addMs } from '#domain/time'
import { startWorker } from '#worker/start'
import type { Worker } from '#worker/start'
import { startUnionpayEmulator } from '../emulator/unionpay/emulator.ts'
import type { UnionpayEmulator } from '../emulator/unionpay/emulator.ts'
import { makeMerchantKeys, makeVendorKeys } from '../emulator/unionpay/keys.ts'
import { payAtUnionpay } from '../support/buyer.ts'
import { buyAt, openCounter, payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import type { Till } from '../support/till.ts'
import { waitFor } from '../support/wait.ts'

const MER_ID = '777290058110110'
/** The vendor's day ends at 23:00. */
const DAY_END_HOUR = 23
const PATIENCE_MS = 60_000
const EVERY_SECOND = '* * * * * *'
const NEVER = '0 0 0 1 1 *'

export interface Run {
  readonly id: string
  readonly state: string
  readonly note: string | null
  readonly vendor_merchant_id: string
}

/** Days of an account at UnionPay, with the real worker and its schedule. Every day here is a clearing day. */
export type BillScene = Awaited<ReturnType<typeof openBillScene>>

export async function openBillScene(databaseUrl: string) {
  let aheadMs = 0
  const clock = { now: (): Date => addMs(new Date(), aheadMs) }
  /** All clocks go forward together: ours and the vendor's. `time` is of China. */
  const passTo = (date: string, time: string): void => {
    const wayMs = Date.parse(`${date}T${time}+08:00`) - clock.now().getTime()
    assert(wayMs >= 0, `expected a later moment than ${clock.now().toISOString()}`)
    aheadMs += wayMs
  }
  const first = addDays(businessDateOf(clock.now(), DAY_END_HOUR), 1)
  passTo(first, '10:00:00')
  const { vendor, till } = await openTill(clock.now)
  const localHosts = [new URL(vendor.url).host]
  const platform = await startPlatform({ databaseUrl, localHosts, clock, hasWorker: false })
  // The account that comes with the platform has another vendor's bills.
  await platform.db
    .updateTable('channel_account')
    .set({ retired: true, accepting: false })
    .execute()
  const counter = await openCounter(platform, platform, till)
  // The database has a clock of its own, which no test can move.
  const account = platform.db.updateTable('channel_account').set({ created_at: clock.now() })
  await account.where('id', '=', counter.accountId).execute()
  const worker = await startBillWorker(databaseUrl, platform, clock)
  return {
    platform,
    vendor,
    counter,
    first,
    passTo,
    ...actsOf({ platform, vendor, counter }),
    ...readersOf(platform),
    async stop(): Promise<void> {
      await worker.stop()
      await platform.stop()
      await vendor.stop()
    },
  }
}

/** Looks for bills every second, by its own clock; nothing but a bill tells what a callback did not. */
const startBillWorker = (
  databaseUrl: string,
  { localHosts, points, gateway }: Platform,
  clock: { readonly now: () => Date },
): Promise<Worker> =>
  startWorker({
    databaseUrl,
    clock,
    localHosts,
    sealKey: testSealKey(),
    log: pino({ level: process.env['PINGZHANG_TEST_LOG'] ?? 'silent' }),
    compensationSeconds: 3600,
    requireDurable: false,
    pointsUrl: points.url,
    publicUrl: gateway.url,
    retrySeconds: 3600,
    querySeconds: 3600,
    pollingSeconds: 0.5,
    sweepPattern: NEVER,
    billPattern: EVERY_SECOND,
  })

async function openTill(
  now: () => Date,
): Promise<{ readonly vendor: UnionpayEmulator; readonly till: Till }> {
  const vendorKeys = await makeVendorKeys(now())
  const own = await makeMerchantKeys(vendorKeys)
  const merchants = [{ merId: MER_ID, certificatesPem: [own.certificatePem] }]
  const vendor = await startUnionpayEmulator({ vendorKeys, merchants, clock: now })
  const roots = [vendorKeys.root, vendorKeys.intermediate].map(({ certificatePem }, place) => ({
    purpose: 'vendor_root' as const,
    serial: String(place),
    value: new Secret(certificatePem),
  }))
  const till: Till = {
    strategy: 'unionpay',
    settings: { merId: MER_ID, base_url: vendor.url, file_url: vendor.url },
    keys: [
      { purpose: 'merchant_private', serial: own.certId, value: new Secret(own.privatePem) },
      ...roots,
    ],
    vendor,
    pay: (orderNumber) => vendor.pay(orderNumber),
    follow: (action) => payAtUnionpay(vendor, action),
  }
  return { vendor, till }
}

interface Place {
  readonly platform: Platform
  readonly vendor: UnionpayEmulator
  readonly counter: Counter
}

function actsOf({ vendor, counter }: Place) {
  const { shop } = counter
  return {
    async buyPaid(amount = 2000): Promise<PaymentId> {
      const id = await buyAt(counter, { amount })
      await payAt(counter, id)
      await shop.waitForState(id, 'paid', PATIENCE_MS)
      return id
    },
    /** The customer pays, and nobody tells us. */
    async buyUnheard(amount = 2000): Promise<PaymentId> {
      const id = await buyAt(counter, { amount })
      vendor.setKnobs({ dropCallbacks: true, dropForever: true })
      expectMoved(vendor.pay(id))
      await vendor.idle()
      vendor.setKnobs({ dropCallbacks: 0, dropForever: false })
      return id
    },
    /** Given back, and known so here. */
    async refund(payment: PaymentId, amount: number): Promise<RefundId> {
      const id = parseRefundId((await shop.refund(payment, amount)).id)
      assert(id !== undefined, 'a refund has a number')
      await waitFor(
        `refund ${id}`,
        async () => ((await shop.readRefund(id)).state === 'succeeded' ? true : undefined),
        PATIENCE_MS,
      )
      return id
    },
  }
}

function expectMoved({ kind }: { readonly kind: string }): void {
  assert(kind === 'moved', `expected that the buyer can pay, found ${kind}`)
}

function readersOf({ db }: Platform) {
  return {
    /** The run of a day once it is in this state, and looked at after so many asks. */
    waitForRun: (date: string, state: string, attempts = 1): Promise<Run> =>
      waitFor(
        `run of ${date} ${state}`,
        async () => {
          const run = await db
            .selectFrom('schedule_run')
            .select(['id', 'state', 'note', 'attempts', 'vendor_merchant_id'])
            .where('business_date', '=', date)
            .executeTakeFirst()
          return run?.state === state && run.note !== null && run.attempts >= attempts
            ? run
            : undefined
        },
        PATIENCE_MS,
      ),
    /** Kind, subject and state of everything that was found for a day. */
    async found(date: string): Promise<readonly string[]> {
      const rows = await db
        .selectFrom('discrepancy')
        .select(['kind', 'subject', 'state'])
        .where('business_date', '=', date)
        .execute()
      return rows.map(({ kind, subject, state }) => `${kind} ${subject} ${state}`).toSorted()
    },
    /** Numbers of the lines that were loaded for a day. */
    async linesOf(date: string): Promise<readonly string[]> {
      const rows = await db
        .selectFrom('bill_line')
        .select(['payment_number', 'refund_number'])
        .where('business_date', '=', date)
        .orderBy('line')
        .execute()
      return rows.map((row) => (row.refund_number === '' ? row.payment_number : row.refund_number))
    },
    /** What is kept of files that were refused. */
    brokenFiles: () =>
      db
        .selectFrom('bill_file')
        .select(['bytes', 'broken'])
        .where('broken', 'is not', null)
        .execute(),
    casesOf: async (subject: string): Promise<readonly string[]> =>
      (
        await db.selectFrom('open_case').select('kind').where('subject', '=', subject).execute()
      ).map(({ kind }) => kind),
    clearingDateOf: async (id: PaymentId): Promise<string | null | undefined> =>
      (
        await db
          .selectFrom('payment')
          .select('clearing_date')
          .where('id', '=', id)
          .executeTakeFirst()
      )?.clearing_date,
  }
}
