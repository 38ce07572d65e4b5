import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { runRefundQuery } from '#worker/job/refund-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'

// Refunds that a bill tells about.

const TIMEOUT_MS = 30_000

let database: TestDatabase
let scene: BillScene

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
}, TIMEOUT_MS)

afterEach(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

describe('a refund', () => {
  test('of the vendor’s console that only the bill tells about is asked for, and recorded', async () => {
    const paid = await scene.buyPaid()
    expect(scene.emulator.refundAtConsole(paid, 'CONSOLE-1', 500)).toBe(true)
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect((await scene.findOnly()).state).toBe('repairing')
    expect((await scene.payment(paid)).refunded).toBe(0n)
    await scene.repair()
    expect(await scene.payment(paid)).toMatchObject({ refunded: 500n, refund_reserved: 500n })
    expect((await scene.order(paid)).state).toBe('partly_refunded')
    expect((await scene.findOnly()).state).toBe('resolved')
    const rows = await scene.db
      .selectFrom('refund')
      .select(['origin', 'state'])
      .where('payment_id', '=', paid)
      .execute()
    expect(rows).toEqual([{ origin: 'vendor', state: 'succeeded' }])
    // The next version of the day agrees with it.
    await scene.db
      .updateTable('schedule_run')
      .set({ state: 'loaded', due_at: scene.now() })
      .where('merchant_id', '=', scene.merchantId)
      .where('state', '=', 'done')
      .execute()
    await scene.fetchDay()
    expect((await scene.findOnly()).state).toBe('resolved')
    await scene.noViolations()
  })

  test('RF-10 that was refused here and stands in the bill is asked about: it succeeded, with a case', async () => {
    const paid = await scene.buyPaid()
    scene.emulator.setKnobs({ refundResult: 'CLOSED' })
    const refund = await scene.giveBack(paid, 500)
    expect((await scene.refund(refund)).state).toBe('refused')
    // The vendor contradicts itself, and its notice is lost.
    scene.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
    await scene.emulator.finishRefund(refund, 'SUCCESS')
    scene.emulator.resetKnobs()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(await scene.found()).toEqual([`state_differs ${refund} repairing`])
    expect((await scene.refund(refund)).state).toBe('refused')
    await scene.repair()
    expect((await scene.refund(refund)).state).toBe('succeeded')
    expect(await scene.found()).toEqual([`state_differs ${refund} resolved`])
    expect(await scene.cases(refund)).not.toEqual([])
    expect(await scene.payment(paid)).toMatchObject({ refunded: 500n, refund_reserved: 500n })
    await scene.noViolations()
  })

  test('RC-15 of one order among two matches by its own number', async () => {
    const paid = await scene.buyPaid()
    await scene.giveBack(paid, 300)
    const second = await scene.giveBack(paid, 300)
    scene.emulator.setKnobs({ billMissingLine: second })
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(await scene.found()).toEqual([`missing_there ${second} held`])
  })

  test('that is still on its way when the bill tells about it is asked about again until it is done', async () => {
    const paid = await scene.buyPaid()
    const refundId = await scene.askRefund(paid, 500)
    scene.emulator.setKnobs({ refundResult: 'PROCESSING' })
    // The vendor has it; its answer does not arrive here.
    scene.interceptWith(async (_url, go) => {
      await go()
      throw new Error('the line is cut')
    })
    await runRefundSubmit(scene.deps, { merchantId: scene.merchantId, refundId })
    scene.interceptWith(undefined)
    expect((await scene.refund(refundId)).state).toBe('sent')
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(await scene.found()).toEqual([`state_differs ${refundId} repairing`])
    await scene.repair()
    expect((await scene.refund(refundId)).state).toBe('accepted')
    expect(await scene.found()).toEqual([`state_differs ${refundId} resolved`])
    await scene.emulator.finishRefund(refundId, 'SUCCESS')
    await runRefundQuery(scene.deps, { merchantId: scene.merchantId, refundId })
    expect(await scene.payment(paid)).toMatchObject({ refunded: 500n })
  })
})
