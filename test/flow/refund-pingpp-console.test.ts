import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openPingppScene } from './pingpp-scene.ts'
import type { PingppScene } from './pingpp-scene.ts'

// Refunds that nobody asked us for: the vendor's event is the first that we hear of them.

const TIMEOUT_MS = 60_000

let database: TestDatabase
let scene: PingppScene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openPingppScene(database.url)
}, TIMEOUT_MS)

afterEach(() => scene.calm())

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

/** Refund news that is done with; there is none of another test before the first. */
async function appliedNews(): Promise<number> {
  const rows = await scene.platform.db
    .selectFrom('notification')
    .select('facts')
    .where('state', '=', 'applied')
    .execute()
  return rows.filter(({ facts }) => facts['kind'] === 'refund').length
}

describe('a refund at the console of the vendor', () => {
  test(
    'pingpp checklist 34: is recorded once, with its points, however often and in how many events it is told',
    async () => {
      const id = await scene.buyPaid('u-console')
      scene.vendor.emulator.setKnobs({ duplicate: 2 })
      expect(await scene.refundAtConsole(id, 999)).toBe(200)
      await waitFor('the record', async () =>
        (await scene.paymentRow(id)).refunded === 999n ? true : undefined,
      )
      await scene.vendor.emulator.idle()
      await scene.vendor.emulator.resend(id)
      expect((await scene.tellAnew()).outcome).toBe('acknowledged')
      await waitFor('two events applied', async () =>
        (await appliedNews()) === 2 ? true : undefined,
      )
      const recorded = await scene.shop.refundsOf(id)
      expect(recorded).toMatchObject([{ origin: 'vendor', state: 'succeeded', amount: 999 }])
      expect(await scene.paymentRow(id)).toEqual({ refund_reserved: 999n, refunded: 999n })
      expect((await scene.shop.read(id)).order.state).toBe('partly_refunded')
      await waitFor('10 points taken back', () =>
        scene.platform.points.balance('u-console') === 9 ? true : undefined,
      )
      // What is left is still ours to give back, under our own number.
      const own = await scene.shop.refund(id, 1000)
      await scene.waitForRefund(own.id, 'succeeded')
      expect((await scene.shop.read(id)).order.state).toBe('refunded')
      expect(scene.atVendor(id).map(({ amount }) => amount)).toEqual([1000, 999])
    },
    TIMEOUT_MS,
  )

  test(
    'while ours is in doubt is not taken for ours',
    async () => {
      const id = await scene.buyPaid('u-both')
      const ours = await scene.refundInVain(id, 999)
      expect(await scene.refundAtConsole(id, 999)).toBe(200)
      await waitFor('the record', async () =>
        (await scene.paymentRow(id)).refunded === 999n ? true : undefined,
      )
      // The list holds one of the same amount, which is not ours.
      await scene.passUntil(ours, 'the case', async () =>
        (await scene.casesOf(ours)).includes('refund_unknown'),
      )
      expect((await scene.shop.readRefund(ours)).state).toBe('sent')
      expect(await scene.paymentRow(id)).toEqual({ refund_reserved: 1998n, refunded: 999n })
    },
    TIMEOUT_MS,
  )

  test(
    'that failed is nothing to us, and one of more than is free is a case',
    async () => {
      const id = await scene.buyPaid('u-exceeds')
      scene.vendor.emulator.setKnobs({ refundEnding: 'failed' })
      await scene.refundAtConsole(id, 500)
      await scene.vendor.emulator.idle()
      scene.vendor.emulator.setKnobs({ refundEnding: 'succeeded' })
      await scene.refundInVain(id, 1500)
      await scene.refundAtConsole(id, 600)
      await waitFor('the case', async () =>
        (await scene.casesOf(id)).length > 0 ? true : undefined,
      )
      expect(await scene.casesOf(id)).toEqual(['refund_exceeds'])
      expect(await scene.shop.refundsOf(id)).toHaveLength(1)
      expect(await scene.paymentRow(id)).toEqual({ refund_reserved: 1500n, refunded: 0n })
    },
    TIMEOUT_MS,
  )
})
