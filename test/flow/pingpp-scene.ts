import { sql } from 'kysely'
import { assert } from '#domain/assert'
import type { PaymentId } from '#domain/id'
import { Secret } from '#domain/secret'
import type { Delivery } from '../emulator/core/delivery-log.ts'
import { eventObject } from '../emulator/pingpp/event.ts'
import type { EmulatedRefund } from '../emulator/pingpp/refund.ts'
import { APP, startTestMerchant } from '../emulator/pingpp/merchant.ts'
import type { TestMerchant } from '../emulator/pingpp/merchant.ts'
import { buyAt, openCounter, payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import type { RefundView } from '../support/shop.ts'
import type { Till } from '../support/till.ts'
import { waitFor } from '../support/wait.ts'

const PATIENCE_MS = 60_000

/** The platform with an account at Ping++, and what a test of refunds asks of both. */
export interface PingppScene {
  readonly vendor: TestMerchant
  readonly platform: Platform
  readonly shop: Counter['shop']
  /** A payment that is paid, with its points. */
  buyPaid(userId: string, amount?: number): Promise<PaymentId>
  waitForRefund(id: string, state: string): Promise<RefundView>
  /** Asks for a refund whose call the vendor turns away: nothing is in its books, and we cannot know it. */
  refundInVain(id: PaymentId, amount: number): Promise<string>
  /** All refunds of a payment in the vendor's books, the newest first. */
  atVendor(id: PaymentId): readonly EmulatedRefund[]
  /** The only one. */
  onlyAtVendor(id: PaymentId): EmulatedRefund
  /** How often anybody asked the vendor to refund something of this payment. */
  callsFor(id: PaymentId): number
  /** How often its refunds were listed. */
  listsFor(id: PaymentId): number
  /** Made by another system with the vendor's key, or at its dashboard: it knows no number of ours. */
  refundAtConsole(id: PaymentId, amount: number): Promise<number>
  /** The last event once more, as an event of its own. */
  tellAnew(): Promise<Delivery>
  /** The states that a refund went through, with what told us of each. */
  movesOf(refund: string): Promise<readonly string[]>
  casesOf(subject: string): Promise<readonly string[]>
  paymentRow(id: PaymentId): Promise<{ refund_reserved: bigint; refunded: bigint }>
  /**
   * As if two minutes had passed since the refund was sent, and every sweep looked at it until this is so: a
   * job that is still running may put the next look off.
   */
  passUntil(refund: string, what: string, isSo: () => Promise<boolean>): Promise<unknown>
  /** The vendor is left alone, so that the next test's faults meet its own requests. */
  calm(): Promise<void>
  stop(): Promise<void>
}

export async function openPingppScene(databaseUrl: string): Promise<PingppScene> {
  const vendor = await startTestMerchant()
  const localHosts = [new URL(vendor.emulator.url).host]
  const platform = await startPlatform({ databaseUrl, localHosts })
  const counter = await openCounter(platform, platform, tillOf(vendor))
  const { shop } = counter
  const books = atVendorOf(vendor, counter)
  return {
    vendor,
    platform,
    shop,
    async buyPaid(userId, amount = 1999) {
      const id = await buyAt(counter, { amount, userId })
      await payAt(counter, id)
      await shop.waitForState(id, 'paid')
      await waitFor('points', () => (platform.points.balance(userId) > 0 ? true : undefined))
      return id
    },
    waitForRefund: (id, state) =>
      waitFor(
        `refund ${id} ${state}`,
        async () => {
          const view = await shop.readRefund(id)
          return view.state === state ? view : undefined
        },
        PATIENCE_MS,
      ),
    async refundInVain(id, amount) {
      const before = books.callsFor(id)
      vendor.emulator.setKnobs({ status402: 1 })
      const refund = await shop.refund(id, amount)
      // It is marked as sent before the call; only after it the fault is used up.
      await waitFor('the call', () => (books.callsFor(id) > before ? true : undefined))
      return refund.id
    },
    ...books,
    ...rowsOf(platform),
    async calm() {
      vendor.emulator.resetKnobs()
      const tomorrow = new Date(Date.now() + 86_400_000)
      await platform.db
        .updateTable('refund')
        .set({ due_at: tomorrow })
        .where('due_at', 'is not', null)
        .execute()
    },
    async stop() {
      await platform.stop()
      await vendor.stop()
    },
  }
}

/** The vendor's own merchant as a till. */
export function tillOf({ emulator, keys }: TestMerchant): Till {
  const key = (purpose: 'api_secret' | 'merchant_private' | 'vendor_public', value: string) => ({
    purpose,
    serial: purpose,
    value: new Secret(value),
  })
  return {
    strategy: 'pingpp',
    settings: { app: APP, base_url: emulator.url },
    keys: [
      key('api_secret', keys.merchant.liveKey),
      key('merchant_private', keys.merchant.privateKeyPem),
      key('vendor_public', keys.vendor.publicKeyPem),
    ],
    wallet: 'alipay',
    vendor: emulator,
    pay: (orderNumber) => emulator.pay(orderNumber),
    follow: async (action) => void emulator.payAction(action),
    hearAt: (url) => emulator.addWebhook({ app: APP, livemode: true, url }),
  }
}

function atVendorOf({ emulator, call }: TestMerchant, { address }: Counter) {
  const pathOf = (id: PaymentId) => `/v1/charges/${emulator.order(id)?.id ?? ''}/refunds`
  const requestsOf = (wanted: string) => (id: PaymentId) =>
    emulator
      .requests()
      .filter(({ method, target }) => method === wanted && target.split('?')[0] === pathOf(id))
      .length
  return {
    atVendor: (id: PaymentId) => emulator.refunds(id),
    onlyAtVendor(id: PaymentId) {
      const [only, ...others] = emulator.refunds(id)
      assert(
        only !== undefined && others.length === 0,
        `expected one refund, found ${others.length}`,
      )
      return only
    },
    callsFor: requestsOf('POST'),
    listsFor: requestsOf('GET'),
    async refundAtConsole(id: PaymentId, amount: number) {
      const body = { amount, description: '客服退款' }
      return (await call('POST', pathOf(id), { body })).status
    },
    tellAnew() {
      const last = emulator.events().at(-1)
      assert(last !== undefined, 'expected an event')
      const body = eventObject({ ...last, id: `evt_${crypto.randomUUID()}` })
      return emulator.sendCallback({ url: address, body })
    },
  }
}

function rowsOf({ db }: Platform) {
  return {
    async movesOf(refund: string) {
      const rows = await db
        .selectFrom('state_change')
        .select(['to_state', 'witness'])
        .where('subject_id', '=', refund)
        .orderBy('at')
        .execute()
      return rows.map((row) => `${row.to_state} ${row.witness}`)
    },
    async casesOf(subject: string) {
      const rows = await db
        .selectFrom('open_case')
        .select('kind')
        .where('subject', '=', subject)
        .execute()
      return rows.map(({ kind }) => kind)
    },
    paymentRow: (id: PaymentId) =>
      db
        .selectFrom('payment')
        .select(['refund_reserved', 'refunded'])
        .where('id', '=', id)
        .executeTakeFirstOrThrow(),
    async passUntil(refund: string, what: string, isSo: () => Promise<boolean>) {
      await sql`UPDATE refund SET sent_at = sent_at - interval '2 minutes' WHERE id = ${refund}`.execute(
        db,
      )
      const lookNow = sql`
        UPDATE refund SET due_at = now() - interval '1 minute'
        WHERE id = ${refund} AND due_at IS NOT NULL`
      await waitFor(
        what,
        async () => {
          if (await isSo()) return true
          await lookNow.execute(db)
          return undefined
        },
        PATIENCE_MS,
      )
    },
  }
}
