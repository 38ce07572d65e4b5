import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { KnobsPatch } from '../emulator/pingpp/knobs.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openPingppScene } from './pingpp-scene.ts'
import type { PingppScene } from './pingpp-scene.ts'

// Refunds at a vendor that has no number of ours for them: what was sent is never sent again by a machine.

const TIMEOUT_MS = 60_000

let database: TestDatabase
let scene: PingppScene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openPingppScene(database.url)
}, TIMEOUT_MS)

const vendor = () => scene.vendor.emulator

afterEach(() => scene.calm())

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

describe('a refund', () => {
  test(
    'pingpp checklist 32: is pending until the event, which finishes it and takes points back',
    async () => {
      vendor().setKnobs({ refundEnding: 'held' })
      const id = await scene.buyPaid('u-event')
      const refund = await scene.shop.refund(id, 999)
      await scene.waitForRefund(refund.id, 'accepted')
      const held = scene.onlyAtVendor(id)
      expect(held).toMatchObject({ amount: 999, metadata: { pingzhang_refund: refund.id } })
      expect(await scene.paymentRow(id)).toEqual({ refund_reserved: 999n, refunded: 0n })
      await vendor().finishRefund(held.id, 'succeeded').done
      await scene.waitForRefund(refund.id, 'succeeded')
      expect((await scene.shop.read(id)).order.state).toBe('partly_refunded')
      expect(await scene.paymentRow(id)).toEqual({ refund_reserved: 999n, refunded: 999n })
      // 19 points for 19.99; 10.00 left keeps floor(19 x 1000 / 1999) = 9.
      await waitFor('10 points taken back', () =>
        scene.platform.points.balance('u-event') === 9 ? true : undefined,
      )
      expect((await scene.movesOf(refund.id)).at(-1)).toBe('succeeded callback')
      expect(scene.callsFor(id)).toBe(1)
    },
    TIMEOUT_MS,
  )

  test(
    'pingpp checklist 32: whose event is lost is finished by the query',
    async () => {
      vendor().setKnobs({ refundEnding: 'held' })
      const id = await scene.buyPaid('u-silent')
      const refund = await scene.shop.refund(id, 1999)
      await scene.waitForRefund(refund.id, 'accepted')
      vendor().setKnobs({ dropCallbacks: true, dropForever: true })
      vendor().finishRefund(scene.onlyAtVendor(id).id, 'succeeded')
      await scene.passUntil(
        refund.id,
        'success',
        async () => (await scene.shop.readRefund(refund.id)).state === 'succeeded',
      )
      expect((await scene.movesOf(refund.id)).at(-1)).toBe('succeeded query')
      expect(scene.callsFor(id)).toBe(1)
    },
    TIMEOUT_MS,
  )

  test(
    'pingpp checklist 33: that failed in the answer is refused, and a new number may follow',
    async () => {
      vendor().setKnobs({ refundEnding: 'refused', refundFailureCode: 'refund_retry' })
      const id = await scene.buyPaid('u-refused')
      const first = await scene.shop.refund(id, 1999)
      const refused = await scene.waitForRefund(first.id, 'refused')
      expect(refused.refusal_code).toBe('refund_retry')
      expect(await scene.paymentRow(id)).toEqual({ refund_reserved: 0n, refunded: 0n })
      expect(await scene.casesOf(first.id)).toEqual(['refund_refused'])
      // No machine makes a new one of it.
      expect(scene.callsFor(id)).toBe(1)
      vendor().resetKnobs()
      const second = await scene.shop.refund(id, 1999)
      await scene.waitForRefund(second.id, 'succeeded')
      expect((await scene.shop.read(id)).order.state).toBe('refunded')
      const numbers = scene
        .atVendor(id)
        .map(({ metadata, status }) => [metadata['pingzhang_refund'], status])
      expect(numbers).toEqual([
        [second.id, 'succeeded'],
        [first.id, 'failed'],
      ])
    },
    TIMEOUT_MS,
  )

  test(
    'that fails later is refused by the event, or is for a person, by its code',
    async () => {
      const id = await scene.buyPaid('u-later')
      vendor().setKnobs({
        refundEnding: 'failed',
        refundFailureCode: 'refund_refused',
      })
      const refused = await scene.shop.refund(id, 100)
      await scene.waitForRefund(refused.id, 'refused')
      expect((await scene.movesOf(refused.id)).at(-1)).toBe('refused callback')
      vendor().setKnobs({ refundFailureCode: 'refund_manual_intervention' })
      const manual = await scene.shop.refund(id, 100)
      await scene.waitForRefund(manual.id, 'abnormal')
      expect(await scene.casesOf(manual.id)).toEqual(['refund_abnormal'])
      // Its amount stays reserved: somebody may be giving it back by hand.
      expect(await scene.paymentRow(id)).toEqual({ refund_reserved: 100n, refunded: 0n })
    },
    TIMEOUT_MS,
  )

  test('pingpp checklist 31: never reaches the vendor when it is more than is left', async () => {
    vendor().setKnobs({ refundEnding: 'held' })
    const id = await scene.buyPaid('u-more')
    const first = await scene.shop.refund(id, 1500)
    await scene.waitForRefund(first.id, 'accepted')
    const response = await scene.shop.askRefund(id, { amount: 500 }, crypto.randomUUID())
    expect(response.status).toBe(409)
    expect(scene.atVendor(id)).toHaveLength(1)
  })
})

describe('pingpp checklist 30: money rule 4: RF-04: a lost answer', () => {
  test.each<readonly [string, KnobsPatch]>([
    ['500 after the commit', { failAfterCommit: 1 }],
    ['502 after the commit', { badGatewayAfterCommit: 1 }],
    ['an answer cut in the middle', { cutAnswers: 1 }],
    ['an answer that a stranger signed', { badlySignedAnswers: 1 }],
    ['an answer without a signature', { unsignedAnswers: 1 }],
  ])(
    '%s: the list is read, our number is found, and one refund stands in the books',
    async (_name, knobs) => {
      const id = await scene.buyPaid(`u-lost-${Object.keys(knobs).join('')}`)
      vendor().setKnobs({ refundEnding: 'held', ...knobs })
      const refund = await scene.shop.refund(id, 1999)
      await scene.waitForRefund(refund.id, 'accepted')
      expect(scene.callsFor(id)).toBe(1)
      const held = scene.onlyAtVendor(id)
      expect(scene.listsFor(id)).toBeGreaterThan(0)
      await vendor().finishRefund(held.id, 'succeeded').done
      await scene.waitForRefund(refund.id, 'succeeded')
      expect(scene.callsFor(id)).toBe(1)
      expect(await scene.casesOf(refund.id)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'of a call that never arrived: a person is asked, nothing is sent again, nobody overtakes it',
    async () => {
      const id = await scene.buyPaid('u-never')
      const refund = await scene.refundInVain(id, 999)
      const behind = await scene.shop.refund(id, 1000)
      await scene.passUntil(
        refund,
        'the case',
        async () => (await scene.casesOf(refund)).length > 0,
      )
      expect(await scene.casesOf(refund)).toEqual(['refund_unknown'])
      // Another hour of sweeps, and another.
      for (const round of [1, 2]) {
        const asked = scene.listsFor(id)
        await scene.passUntil(refund, `query ${round}`, async () => scene.listsFor(id) > asked)
      }
      expect(scene.callsFor(id)).toBe(1)
      expect(scene.atVendor(id)).toEqual([])
      expect((await scene.shop.readRefund(refund)).state).toBe('sent')
      // One in flight for a payment: the next one waits for the person, too.
      expect((await scene.shop.readRefund(behind.id)).state).toBe('requested')
      expect(await scene.paymentRow(id)).toEqual({ refund_reserved: 1999n, refunded: 0n })
    },
    TIMEOUT_MS,
  )
})
