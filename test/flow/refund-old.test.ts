import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { RefundId } from '#domain/id'
import { runRefundQuery } from '#worker/job/refund-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

// A refund that finds no end is told to a person; the machine goes on.

const TIMEOUT_MS = 30_000
const MINUTE = 60
const DAY = 86_400

let database: TestDatabase
let scene: Scene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openScene(database.url)
}, TIMEOUT_MS)

afterEach(() => scene.emulator.resetKnobs())

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

const jobOf = (refundId: RefundId) => ({ merchantId: scene.merchantId, refundId })
const submit = (id: RefundId) => runRefundSubmit(scene.deps, jobOf(id))
const query = (id: RefundId) => runRefundQuery(scene.deps, jobOf(id))
const state = async (id: RefundId): Promise<string> => (await scene.refund(id)).state

describe('a refund without a result after a day', () => {
  test('that was sent: a person hears of it once, the machine goes on, and never oftener than before', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 700)
    scene.emulator.setKnobs({ status500: 1_000 })
    await submit(refund)
    scene.passSeconds(2 * 3600)
    await query(refund)
    expect(await scene.cases(refund)).toEqual([])
    scene.passSeconds(DAY)
    await query(refund)
    await submit(refund)
    // The pause grows with the age, also where each call is sent anew: a vendor counts the calls of a number.
    expect(await secondsToDue(refund)).toBeGreaterThan(DAY - MINUTE)
    await query(refund)
    expect(await scene.cases(refund)).toEqual(['refund_unknown'])
    expect(await state(refund)).toBe('sent')
    expect((await scene.payment(id)).refund_reserved).toBe(700n)
    scene.emulator.resetKnobs()
    scene.passSeconds(DAY)
    await submit(refund)
    await query(refund)
    expect(await state(refund)).toBe('succeeded')
  })

  test('that the vendor has no money for: a person hears of it, and it still goes when there is money', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 700)
    scene.emulator.setKnobs({ refundNotEnough: 3 })
    await submit(refund)
    expect(await scene.cases(refund)).toEqual([])
    for (const seconds of [DAY + MINUTE, DAY]) {
      scene.passSeconds(seconds)
      await submit(refund)
      expect(await scene.cases(refund)).toEqual(['refund_waiting'])
      expect(await state(refund)).toBe('requested')
    }
    scene.passSeconds(DAY)
    await submit(refund)
    await query(refund)
    expect(await state(refund)).toBe('succeeded')
  })

  test('that a bank works on: after a week', async () => {
    const refund = await scene.askRefund(await scene.buyPaid(), 700)
    scene.emulator.setKnobs({ refundResult: 'PROCESSING' })
    await submit(refund)
    scene.passSeconds(6 * DAY)
    await query(refund)
    expect(await scene.cases(refund)).toEqual([])
    scene.passSeconds(DAY)
    await query(refund)
    expect(await scene.cases(refund)).toEqual(['refund_unknown'])
    expect(await state(refund)).toBe('accepted')
  })
})

async function secondsToDue(id: RefundId): Promise<number> {
  const { due_at: due } = await scene.refund(id)
  return ((due?.getTime() ?? 0) - scene.now().getTime()) / 1000
}
