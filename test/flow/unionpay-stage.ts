import { expect } from 'bun:test'
import { sql } from 'kysely'
import { jobsOf, openSender } from '#db/job'
import type { Jobs } from '#db/job'
import type { RefundRow } from '#db/refund/refund'
import { assert } from '#domain/assert'
import { parseRefundId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import { Secret } from '#domain/secret'
import { startUnionpayEmulator } from '../emulator/unionpay/emulator.ts'
import type { UnionpayEmulator } from '../emulator/unionpay/emulator.ts'
import { makeMerchantKeys, makeVendorKeys } from '../emulator/unionpay/keys.ts'
import type { KnobsPatch } from '../emulator/unionpay/knobs.ts'
import { callbackFields } from '../emulator/unionpay/order.ts'
import { payAtUnionpay } from '../support/buyer.ts'
import { buyAt, openCounter, payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { findRefundViolations } from '../support/refund-invariant.ts'
import type { Till } from '../support/till.ts'
import { waitFor } from '../support/wait.ts'

const MER_ID = '777290058110109'
const AMOUNT = 2000

/** The platform with one account at UnionPay, whose knobs and books the test sees. */
export type UnionpayStage = Awaited<ReturnType<typeof openUnionpayStage>>

interface Place {
  readonly platform: Platform
  readonly vendor: UnionpayEmulator
  readonly counter: Counter
}

export async function openUnionpayStage(databaseUrl: string) {
  const { vendor, till } = await openTill()
  const localHosts = [new URL(vendor.url).host]
  const platform = await startPlatform({ databaseUrl, localHosts })
  const counter = await openCounter(platform, platform, till)
  const boss = await openSender(databaseUrl, () => undefined)
  const place: Place = { platform, vendor, counter }
  const jobs: Jobs = jobsOf(boss)
  return {
    ...place,
    jobs,
    turn: (knobs: KnobsPatch): void => void vendor.setKnobs(knobs),
    ...actsOf(place),
    ...booksOf(place),
    ...readersOf(place),
    /** Ends a test: no fault is left, and no invariant is broken once the points have followed. */
    async settleDown(): Promise<void> {
      vendor.resetKnobs()
      await waitFor('no violation', async () => {
        const found = await findRefundViolations(platform.db, platform.points.effects())
        return found.length === 0 ? true : undefined
      })
    },
    async stop(): Promise<void> {
      await boss.stop()
      await platform.stop()
      await vendor.stop()
    },
  }
}

async function openTill(): Promise<{ readonly vendor: UnionpayEmulator; readonly till: Till }> {
  const vendorKeys = await makeVendorKeys()
  const own = await makeMerchantKeys(vendorKeys)
  const merchants = [{ merId: MER_ID, certificatesPem: [own.certificatePem] }]
  const vendor = await startUnionpayEmulator({ vendorKeys, merchants })
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

function actsOf({ platform, vendor, counter }: Place) {
  return {
    /** A paid payment whose points are there. */
    async buyPaid(userId: string): Promise<PaymentId> {
      const id = await buyAt(counter, { amount: AMOUNT, userId })
      await payAt(counter, id)
      await counter.shop.waitForState(id, 'paid')
      await waitFor('points', () => (platform.points.balance(userId) > 0 ? true : undefined))
      return id
    },
    async ask(payment: PaymentId, amount: number): Promise<RefundId> {
      const id = parseRefundId((await counter.shop.refund(payment, amount)).id)
      assert(id !== undefined, 'a refund has a number')
      return id
    },
    /** The vendor tells the end of a refund once more, or otherwise than before. */
    async tell(id: RefundId, code: string, without: readonly string[] = []): Promise<void> {
      const refund = vendor.refund(id)
      assert(refund !== undefined, 'the vendor knows the refund')
      const fields = callbackFields(refund, { ...refund.attempt, code })
      const left = Object.entries(fields).filter(([name]) => !without.includes(name))
      const message = { url: counter.address, fields: Object.fromEntries(left) }
      expect((await vendor.sendCallback(message)).outcome).toBe('acknowledged')
    },
    /** As if it had been sent long ago: now its absence means something. */
    letTimePass: (id: RefundId) =>
      sql`UPDATE refund SET sent_at = sent_at - interval '1 day', due_at = now() - interval '1 second'
          WHERE id = ${id}`.execute(platform.db),
    makeDue: (id: RefundId) =>
      sql`UPDATE refund SET due_at = now() - interval '1 second' WHERE id = ${id}`.execute(
        platform.db,
      ),
  }
}

/** What the vendor has heard and written down. */
function booksOf({ vendor }: Place) {
  const countOf = (path: string): number =>
    vendor.requests().filter(({ target }) => target.endsWith(path)).length
  return {
    /** Calls that may move money, the order of a QR code among them. */
    calls: (): number => countOf('/backTransReq.do'),
    queries: (): number => countOf('/queryTrans.do'),
    booked: (id: RefundId) => vendor.refund(id),
    takenBack: (payment: PaymentId): bigint | undefined => vendor.order(payment)?.takenBack,
  }
}

function readersOf({ platform: { db } }: Place) {
  const rowOf = (id: RefundId): Promise<RefundRow> =>
    db.selectFrom('refund').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  async function casesOf(id: RefundId): Promise<readonly string[]> {
    const cases = db.selectFrom('open_case').select('kind').where('subject', '=', id)
    return (await cases.orderBy('kind').execute()).map(({ kind }) => kind)
  }
  /** Every notice about refunds that names the payment: the vendor's code, and what became of the row. */
  async function newsOf(payment: PaymentId): Promise<readonly string[]> {
    const { rows } = await sql<{ state: string; code: string }>`
      SELECT state, facts ->> 'refundStateText' AS code FROM notification
      WHERE facts ->> 'kind' = 'refund' AND payment_number = ${payment} ORDER BY id`.execute(db)
    return rows.map(({ state, code }) => `${code} ${state}`)
  }
  return {
    rowOf,
    casesOf,
    until: (id: RefundId, state: string): Promise<RefundRow> =>
      waitFor(`refund ${id} ${state}`, async () => {
        const row = await rowOf(id)
        return row.state === state ? row : undefined
      }),
    untilCase: (id: RefundId, kind: string) =>
      waitFor(`case ${kind}`, async () => ((await casesOf(id)).includes(kind) ? true : undefined)),
    paymentOf: (id: PaymentId) =>
      db
        .selectFrom('payment')
        .select(['refunded', 'refund_reserved as reserved'])
        .where('id', '=', id)
        .executeTakeFirstOrThrow(),
    newsOf,
    /** A query may have brought the same news first; the rows are applied all the same. */
    untilNews: (payment: PaymentId, news: readonly string[]) =>
      waitFor(news.join(), async () =>
        Bun.deepEquals(await newsOf(payment), news) ? true : undefined,
      ),
  }
}
