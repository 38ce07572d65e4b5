import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { PaymentId } from '#domain/id'
import { bookedAt } from '../emulator/alipay/by-number.ts'
import type { KnobsPatch } from '../emulator/alipay/knobs.ts'
import { payAt } from '../support/counter.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { findExceedingRefunds } from '../support/refund-invariant.ts'
import type { RefundView } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'
import { openAlipayScene } from './alipay-scene.ts'
import type { AlipayScene } from './alipay-scene.ts'

// Refunds at Alipay with the real worker: every number is ours, and the sums of the vendor are nobody's amount.

const TIMEOUT_MS = 60_000
const SPACING_MS = 3_000

let database: TestDatabase
let scene: AlipayScene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openAlipayScene(database.url)
}, TIMEOUT_MS)

afterEach(() => {
  scene.vendor.emulator.resetKnobs()
})

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

async function buyPaid(userId: string, amount = 1999): Promise<PaymentId> {
  const id = await scene.buy(amount, userId)
  await payAt(scene.counter, id)
  await scene.counter.shop.waitForState(id, 'paid')
  await waitFor('points', () => (pointsOf(userId) > 0 ? true : undefined))
  return id
}

const pointsOf = (userId: string): number => scene.platform.points.balance(userId)

const waitForRefund = (id: string, state: string): Promise<RefundView> =>
  waitFor(
    `refund ${id} ${state}`,
    async () => {
      const view = await scene.counter.shop.readRefund(id)
      return view.state === state ? view : undefined
    },
    TIMEOUT_MS,
  )

const waitForPoints = (userId: string, points: number) =>
  waitFor(`${points} points`, () => (pointsOf(userId) === points ? true : undefined), TIMEOUT_MS)

const waitForNews = (id: PaymentId, count: number) =>
  waitFor(
    `${count} pieces of news applied`,
    async () => {
      const news = await scene.news(id)
      return news.length === count && news.every(({ state }) => state === 'applied')
        ? true
        : undefined
    },
    TIMEOUT_MS,
  )

describe('refunds of ours', () => {
  test(
    'alipay checklist 59: money rule 6: three parts are three refunds, one after the other, and three events',
    async () => {
      const id = await buyPaid('u-parts', 1999)
      const parts = [
        await scene.counter.shop.refund(id, 500),
        await scene.counter.shop.refund(id, 500),
        await scene.counter.shop.refund(id, 700),
      ]
      for (const part of parts) await waitForRefund(part.id, 'succeeded')
      const books = scene.atVendor(id)
      expect(books.map(({ fen }) => fen).toSorted((a, b) => a - b)).toEqual([500, 500, 700])
      expect(new Set(books.map(({ outRequestNo }) => outRequestNo))).toEqual(
        new Set(parts.map((part) => part.id)),
      )
      const times = books.map(({ at }) => at.getTime())
      const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0))
      for (const pause of pauses) expect(pause).toBeGreaterThanOrEqual(SPACING_MS)
      // All of them say TRADE_SUCCESS, about one order.
      await waitForNews(id, 3)
      expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 1700n, refunded: 1700n })
      expect((await scene.counter.shop.read(id)).order.state).toBe('partly_refunded')
      // 19 points for 19.99; 2.99 left keeps floor(19 x 299 / 1999) = 2.
      await waitForPoints('u-parts', 2)
      expect(await findExceedingRefunds(scene.platform.db)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'the rest closes the order at the vendor, and the payment stays paid',
    async () => {
      const id = await buyPaid('u-whole', 1999)
      const refund = await scene.counter.shop.refund(id, 1999)
      await waitForRefund(refund.id, 'succeeded')
      await waitForNews(id, 1)
      expect(bookedAt(scene.vendor.emulator, id)?.state).toBe('TRADE_CLOSED')
      expect(await scene.paymentRow(id)).toMatchObject({ state: 'paid', refunded: 1999n })
      expect((await scene.counter.shop.read(id)).order.state).toBe('refunded')
      await waitForPoints('u-whole', 0)
      expect(await scene.casesOf(id)).toEqual([])
    },
    TIMEOUT_MS,
  )
})

describe('RF-04 and money rule 4: commit, then cut', () => {
  test.each<readonly [string, KnobsPatch]>([
    ['500 after the commit', { failAfterCommit: 1 }],
    ['an answer cut in the middle', { cutAnswers: 1 }],
    ['RF-13 an answer that a stranger signed', { badlySignedAnswers: 1 }],
    ['RF-13 an answer without a signature', { unsignedAnswers: 1 }],
  ])(
    '%s: unknown, asked about, and one refund stands in the books',
    async (_name, knobs) => {
      const id = await buyPaid(`u-lost-${Object.keys(knobs).join('')}`)
      scene.vendor.emulator.setKnobs({ noticeOfRefund: false, ...knobs })
      const refund = await scene.counter.shop.refund(id, 999)
      await waitForRefund(refund.id, 'succeeded')
      expect(scene.atVendor(id)).toMatchObject([{ outRequestNo: refund.id, fen: 999 }])
      expect(await scene.casesOf(refund.id)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'alipay checklist 55: the call was never handled: the same number goes again, with the same amount',
    async () => {
      const id = await buyPaid('u-never')
      scene.vendor.emulator.setKnobs({ noticeOfRefund: false, status500: 1 })
      const refund = await scene.counter.shop.refund(id, 999)
      await waitForRefund(refund.id, 'succeeded')
      const [first, ...others] = await scene.refundCalls(id)
      expect(others).toEqual([first ?? ''])
      expect(first).toContain(`"out_request_no":"${refund.id}"`)
      expect(scene.atVendor(id)).toHaveLength(1)
    },
    TIMEOUT_MS,
  )
})

describe('a refund at the console of the vendor', () => {
  test(
    'alipay checklist 57: is asked about by its number, and recorded with its own amount, not with the sum',
    async () => {
      const id = await buyPaid('u-console')
      await scene.refundAtConsole(id, 'HZ01', '5.00')
      await waitForNews(id, 1)
      await scene.refundAtConsole(id, 'HZ02', '4.99')
      await waitForNews(id, 2)
      const refunds = await scene.counter.shop.refundsOf(id)
      expect(refunds).toMatchObject([
        { origin: 'vendor', state: 'succeeded', amount: 500 },
        { origin: 'vendor', state: 'succeeded', amount: 499 },
      ])
      expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 999n, refunded: 999n })
      // 19 points for 19.99; 10.00 left keeps floor(19 x 1000 / 1999) = 9.
      await waitForPoints('u-console', 9)
      expect(await scene.casesOf('HZ01')).toEqual([])
      // What is left is still ours to give back.
      const own = await scene.counter.shop.refund(id, 1000)
      await waitForRefund(own.id, 'succeeded')
      expect((await scene.counter.shop.read(id)).order.state).toBe('refunded')
    },
    TIMEOUT_MS,
  )

  test(
    'alipay checklist 51: of everything, before we knew of the payment: paid first, then refunded',
    async () => {
      const id = await scene.buy(1999, 'u-closed')
      scene.vendor.emulator.setKnobs({ dropCallbacks: 1, dropForever: true })
      scene.vendor.emulator.pay(id)
      await scene.vendor.emulator.idle()
      await scene.refundAtConsole(id, 'HZ03', '19.99')
      expect(bookedAt(scene.vendor.emulator, id)?.state).toBe('TRADE_CLOSED')
      await waitFor(
        'the refund',
        async () => ((await scene.paymentRow(id)).refunded === 1999n ? true : undefined),
        TIMEOUT_MS,
      )
      const view = await scene.counter.shop.read(id)
      expect([view.state, view.disposition, view.order.state]).toEqual([
        'paid',
        'counted',
        'refunded',
      ])
      await waitForNews(id, 1)
      await waitForPoints('u-closed', 0)
      expect(await scene.casesOf(id)).toEqual([])
    },
    TIMEOUT_MS,
  )
})
