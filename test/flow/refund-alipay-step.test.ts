import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { assert } from '#domain/assert'
import type { PaymentId, RefundId } from '#domain/id'
import { sendChanged } from '../emulator/alipay/by-number.ts'
import { payAt } from '../support/counter.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openSteppedScene } from './alipay-scene.ts'
import type { SteppedScene } from './alipay-scene.ts'

// Refunds at Alipay, job by job: what the vendor's pauses, silences and states do to them.

const TIMEOUT_MS = 30_000
const MINUTE = 60
const HOUR = 60 * MINUTE

let database: TestDatabase
let scene: SteppedScene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openSteppedScene(database.url)
}, TIMEOUT_MS)

afterEach(() => {
  scene.vendor.emulator.resetKnobs()
})

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

const stateOf = async (refund: RefundId): Promise<string> => (await scene.refundRow(refund)).state

async function jobsFor(refund: RefundId, queue: string): Promise<number> {
  const { rows } = await sql`
    SELECT 1 FROM pgboss.job WHERE name = ${queue} AND data ->> 'refundId' = ${refund}`.execute(
    scene.platform.db,
  )
  return rows.length
}

test('alipay checklist 54: RF-05: the number of a refund is committed before its first call', async () => {
  const id = await scene.buyPaid()
  const refund = await scene.askRefund(id, 999)
  const seen: string[] = []
  scene.lookBeforeCalls(async () => {
    // Another connection sees what is committed, and nothing else.
    const { state, attempts } = await scene.refundRow(refund)
    seen.push(`${state} ${attempts}`)
  })
  await scene.submit(refund)
  scene.lookBeforeCalls(() => Promise.resolve())
  expect(seen).toEqual(['sent 1'])
  expect(scene.atVendor(id).map(({ outRequestNo }) => outRequestNo)).toEqual([refund])
})

describe('a refund whose answer is lost', () => {
  test('alipay checklist 55: money rule 4: goes again under its number, and one stands in the books', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 999)
    scene.vendor.emulator.setKnobs({ noticeOfRefund: false, failAfterCommit: 1 })
    await scene.submit(refund)
    expect(await stateOf(refund)).toBe('sent')
    // Not before the vendor's pause.
    await scene.submit(refund)
    expect((await scene.refundRow(refund)).attempts).toBe(1n)
    scene.passSeconds(4)
    await scene.submit(refund)
    // The repeat moved nothing, and that is neither success nor failure.
    expect(await scene.refundRow(refund)).toMatchObject({ state: 'sent', attempts: 2n })
    expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 999n, refunded: 0n })
    await scene.query(refund)
    expect(await stateOf(refund)).toBe('succeeded')
    const calls = await scene.refundCalls(id)
    expect(calls).toHaveLength(2)
    expect(new Set(calls).size).toBe(1)
    expect(scene.atVendor(id)).toMatchObject([{ outRequestNo: refund, fen: 999 }])
  })

  test('alipay checklist 56: nothing moved and nothing is known: asked about, then sent again', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 999)
    scene.vendor.emulator.setKnobs({ refundsWithoutChange: 1 })
    await scene.submit(refund)
    expect(await stateOf(refund)).toBe('sent')
    scene.passSeconds(11)
    await scene.query(refund)
    expect(await jobsFor(refund, 'refund-submit')).toBe(2)
    await scene.submit(refund)
    expect(await stateOf(refund)).toBe('succeeded')
    expect(scene.atVendor(id)).toHaveLength(1)
  })

  test('alipay checklist 58: an absence in the first ten seconds means nothing', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 999)
    scene.vendor.emulator.setKnobs({ status500: 1 })
    await scene.submit(refund)
    scene.passSeconds(8)
    await scene.query(refund)
    expect(await jobsFor(refund, 'refund-submit')).toBe(1)
    scene.passSeconds(3)
    await scene.query(refund)
    expect(await jobsFor(refund, 'refund-submit')).toBe(2)
    await scene.submit(refund)
    expect(await stateOf(refund)).toBe('succeeded')
    expect(await scene.casesOf(refund)).toEqual([])
  })
})

describe('a refund that is refused', () => {
  test('alipay checklist 60: for want of money keeps its number for after the top-up', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 999)
    scene.vendor.emulator.setKnobs({ sellerBalanceShort: 1 })
    await scene.submit(refund)
    expect(await stateOf(refund)).toBe('requested')
    expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 999n, refunded: 0n })
    scene.passSeconds(11 * MINUTE)
    await scene.submit(refund)
    expect(await stateOf(refund)).toBe('succeeded')
    expect(scene.atVendor(id).map(({ outRequestNo }) => outRequestNo)).toEqual([refund])
  })

  test('alipay checklist 61: our number with another amount is an alarm, and its amount stays reserved', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 999)
    scene.vendor.emulator.setKnobs({ noticeOfRefund: false })
    await scene.refundAtConsole(id, refund, '5.00')
    await scene.submit(refund)
    expect(await scene.casesOf(refund)).toEqual(['refund_amount_differs'])
    expect(await stateOf(refund)).toBe('sent')
    expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 999n, refunded: 0n })
  })

  test('as the window is over is definite: its amount is free, and a person hears of it', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 999)
    scene.vendor.emulator.setKnobs({ dropCallbacks: 1, dropForever: true })
    await scene.vendor.emulator.finish(id).done
    await scene.submit(refund)
    expect(await stateOf(refund)).toBe('refused')
    expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 0n, refunded: 0n })
    expect(await scene.casesOf(refund)).toEqual(['refund_refused'])
  })

  test('as the order is closed by a refund at the console is for a person', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 999)
    scene.vendor.emulator.setKnobs({ noticeOfRefund: false })
    await scene.refundAtConsole(id, 'HZ10', '19.99')
    await scene.submit(refund)
    expect(await stateOf(refund)).toBe('abnormal')
    expect(await scene.casesOf(refund)).toEqual(['refund_abnormal'])
    expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 999n, refunded: 0n })
  })
})

describe('money rule 7: a state that tells of refunds', () => {
  const attempt = (id: PaymentId) =>
    scene.counter.shop.askRefund(id, { amount: 1 }, crypto.randomUUID())

  test('alipay checklist 50: FINISHED after SUCCESS ends refunds, and nothing else', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 500)
    await scene.submit(refund)
    await scene.vendor.emulator.finish(id).done
    await scene.applyCallbacks()
    expect(await scene.paymentRow(id)).toEqual({
      state: 'paid',
      refund_reserved: 500n,
      refunded: 500n,
      refundable: false,
    })
    const response = await attempt(id)
    expect(response.status).toBe(409)
    expect((await scene.counter.shop.read(id)).order.state).toBe('partly_refunded')
    expect(await scene.casesOf(id)).toEqual([])
  })

  test('FINISHED first is paid once, and never refundable', async () => {
    const id = await scene.buy()
    const result = scene.vendor.emulator.pay(id, { isFinal: true })
    assert(result.kind === 'paid', 'the buyer can pay')
    await result.done
    await scene.applyCallbacks()
    expect(await scene.paymentRow(id)).toMatchObject({ state: 'paid', refundable: false })
    expect((await attempt(id)).status).toBe(409)
  })

  test('an order that is not over can be refunded', async () => {
    const id = await scene.buyPaid()
    expect(await scene.paymentRow(id)).toMatchObject({ state: 'paid', refundable: true })
    expect((await attempt(id)).status).toBe(202)
  })

  test('CLOSED that only a query tells is paid once, and somebody looks for the refund', async () => {
    const id = await scene.buy()
    scene.vendor.emulator.setKnobs({ noticeOfRefund: false, dropCallbacks: 1, dropForever: true })
    scene.vendor.emulator.pay(id)
    await scene.vendor.emulator.idle()
    await scene.refundAtConsole(id, 'HZ11', '19.99')
    await scene.queryPayment(id)
    expect(await scene.paymentRow(id)).toMatchObject({ state: 'paid', refunded: 0n })
    expect((await scene.counter.shop.read(id)).order.state).toBe('paid')
    expect(await scene.casesOf(id)).toEqual(['refund_at_vendor'])
  })

  test('CLOSED by our own refund is explained', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 1999)
    scene.vendor.emulator.setKnobs({ failAfterCommit: 1, noticeOfRefund: false })
    await scene.submit(refund)
    await sendChanged(scene.vendor.emulator, id, { trade_status: 'TRADE_CLOSED' })
    await scene.applyCallbacks()
    expect(await scene.paymentRow(id)).toMatchObject({ state: 'paid', refundable: true })
    expect(await scene.casesOf(id)).toEqual([])
  })
})

describe('a refund at the console that the vendor does not tell us about', () => {
  const askedInVain = async (number: string): Promise<PaymentId> => {
    const id = await scene.buy()
    await payAt(scene.counter, id)
    await scene.applyCallbacks()
    await scene.refundAtConsole(id, number, '5.00')
    await scene.vendor.emulator.idle()
    scene.vendor.emulator.setKnobs({ refusals: 1 })
    await scene.applyCallbacks()
    return id
  }

  test('waits, and is recorded when the vendor answers', async () => {
    const id = await askedInVain('HZ20')
    expect(await scene.news(id)).toEqual([{ state: 'received', quarantine_reason: null }])
    expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 0n, refunded: 0n })
    scene.passSeconds(MINUTE)
    await scene.applyCallbacks()
    expect(await scene.news(id)).toEqual([{ state: 'applied', quarantine_reason: null }])
    expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 500n, refunded: 500n })
    expect(await scene.casesOf('HZ20')).toEqual([])
  })

  test('and that is more than is left is a case, once', async () => {
    const id = await scene.buyPaid()
    await scene.askRefund(id, 1500)
    await scene.refundAtConsole(id, 'HZ22', '6.00')
    await scene.applyCallbacks()
    expect(await scene.news(id)).toEqual([{ state: 'applied', quarantine_reason: null }])
    expect(await scene.casesOf(id)).toEqual(['refund_exceeds'])
    expect(await scene.paymentRow(id)).toMatchObject({ refund_reserved: 1500n, refunded: 0n })
  })

  test('for an hour is for a person', async () => {
    const id = await askedInVain('HZ21')
    // The last test of this file: rows are received by the time of the database, which stays.
    scene.passSeconds(HOUR)
    await scene.applyCallbacks()
    expect(await scene.news(id)).toEqual([
      { state: 'quarantined', quarantine_reason: 'refund_amount_missing' },
    ])
    expect(await scene.casesOf('HZ21')).toEqual(['refund_amount_missing'])
  })
})
