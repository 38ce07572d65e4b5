import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openUnionpayStage } from './unionpay-stage.ts'
import type { UnionpayStage } from './unionpay-stage.ts'

// Refunds at UnionPay are transactions with numbers and notices of their own (dossier, sections 3.2 and 4.1).

const TIMEOUT_MS = 60_000

let database: TestDatabase
let at: UnionpayStage

beforeAll(async () => {
  database = await cloneDatabase()
  at = await openUnionpayStage(database.url)
}, TIMEOUT_MS)

afterEach(() => at.settleDown(), TIMEOUT_MS)

afterAll(async () => {
  await at.stop()
  await database.drop()
}, TIMEOUT_MS)

describe('a refund at UnionPay', () => {
  test(
    'is accepted at once, ends by its own notice, and takes points back',
    async () => {
      at.turn({ holdRefunds: true })
      const payment = await at.buyPaid('u-notice')
      const id = await at.ask(payment, 500)
      const accepted = await at.until(id, 'accepted')
      expect(accepted.vendor_time).toBe(at.booked(id)?.message.fields['txnTime'] ?? '')
      expect(accepted.channel_refund_id).toBe(at.booked(id)?.attempt.queryId ?? '')
      expect(await at.paymentOf(payment)).toEqual({ refunded: 0n, reserved: 500n })
      await at.vendor.finishRefund(id).done
      await at.until(id, 'succeeded')
      expect(at.takenBack(payment)).toBe(500n)
      await at.untilNews(payment, ['00 applied'])
      expect((await at.counter.shop.read(payment)).order.state).toBe('partly_refunded')
      // 20 points for 20.00; 15.00 left keeps 15.
      await waitFor('points taken back', () =>
        at.platform.points.balance('u-notice') === 15 ? true : undefined,
      )
    },
    TIMEOUT_MS,
  )

  test(
    'two parts have their own numbers and times, and add up to the payment',
    async () => {
      const payment = await at.buyPaid('u-parts')
      const one = await at.ask(payment, 1200)
      await at.until(one, 'succeeded')
      const two = await at.ask(payment, 800)
      await at.until(two, 'succeeded')
      expect(at.takenBack(payment)).toBe(2000n)
      expect((await at.counter.shop.read(payment)).order.state).toBe('refunded')
      const response = await at.counter.shop.askRefund(payment, { amount: 1 }, crypto.randomUUID())
      expect(response.status).toBe(409)
      await waitFor('no points left', () =>
        at.platform.points.balance('u-parts') === 0 ? true : undefined,
      )
    },
    TIMEOUT_MS,
  )

  test(
    'whose notice overtakes the answer is done all the same',
    async () => {
      const payment = await at.buyPaid('u-early')
      at.turn({ callbackBeforeAnswer: true })
      const id = await at.ask(payment, 500)
      await at.until(id, 'succeeded')
      expect(await at.casesOf(id)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'whose notices are all lost is found by a query of its own number',
    async () => {
      const payment = await at.buyPaid('u-lost')
      at.turn({ dropCallbacks: 100, dropForever: true })
      const id = await at.ask(payment, 500)
      await at.until(id, 'accepted')
      await at.letTimePass(id)
      await at.until(id, 'succeeded')
      expect(await at.newsOf(payment)).toEqual([])
      expect(at.takenBack(payment)).toBe(500n)
    },
    TIMEOUT_MS,
  )

  test(
    'that the vendor refuses gives its amount free, and is tried again under a new number',
    async () => {
      const payment = await at.buyPaid('u-refused')
      at.turn({ answerCode: '38' })
      const id = await at.ask(payment, 2000)
      expect((await at.until(id, 'refused')).refusal_code).toBe('38')
      expect(await at.casesOf(id)).toEqual(['refund_refused'])
      expect(at.booked(id)).toBeUndefined()
      at.turn({ answerCode: '' })
      const again = await at.ask(payment, 2000)
      await at.until(again, 'succeeded')
      expect(at.takenBack(payment)).toBe(2000n)
    },
    TIMEOUT_MS,
  )
})

describe('money rule 6: notices about one refund', () => {
  test(
    'RF-10: a failure and then a success are both stored, both applied, and a person hears of it',
    async () => {
      at.turn({ holdRefunds: true })
      const payment = await at.buyPaid('u-contradiction')
      const id = await at.ask(payment, 500)
      await at.until(id, 'accepted')
      await at.vendor.finishRefund(id, '01').done
      await at.until(id, 'refused')
      expect(await at.paymentOf(payment)).toEqual({ refunded: 0n, reserved: 0n })
      await at.tell(id, '01')
      await at.tell(id, '00')
      await at.until(id, 'succeeded')
      await at.untilNews(payment, ['01 applied', '00 applied'])
      expect(await at.paymentOf(payment)).toEqual({ refunded: 500n, reserved: 500n })
      expect(await at.casesOf(id)).toEqual(['refund_contradicted', 'refund_refused'])
      await waitFor('points taken back', () =>
        at.platform.points.balance('u-contradiction') === 15 ? true : undefined,
      )
    },
    TIMEOUT_MS,
  )

  test(
    'a failure that comes after the success changes nothing, and is stored too',
    async () => {
      const payment = await at.buyPaid('u-stale')
      const id = await at.ask(payment, 500)
      await at.until(id, 'succeeded')
      await at.tell(id, '01')
      await at.untilNews(payment, ['00 applied', '01 applied'])
      expect((await at.rowOf(id)).state).toBe('succeeded')
      expect(await at.casesOf(id)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'one that does not bring back the payment’s number finds it by the refund',
    async () => {
      at.turn({ holdRefunds: true })
      const payment = await at.buyPaid('u-bare')
      const id = await at.ask(payment, 500)
      await at.until(id, 'accepted')
      await at.tell(id, '00', ['reqReserved', 'origQryId'])
      await at.until(id, 'succeeded')
      expect(await at.paymentOf(payment)).toEqual({ refunded: 500n, reserved: 500n })
    },
    TIMEOUT_MS,
  )

  test(
    'the time line of the payment tells the call, the notice and the query of its refund',
    async () => {
      at.turn({ holdRefunds: true })
      const payment = await at.buyPaid('u-line')
      const id = await at.ask(payment, 500)
      await at.until(id, 'accepted')
      const asked = at.queries()
      await at.letTimePass(id)
      await waitFor('a query', () => (at.queries() > asked ? true : undefined))
      await at.vendor.finishRefund(id).done
      await at.until(id, 'succeeded')
      const response = await fetch(`${at.platform.gateway.url}/v1/payments/${payment}/timeline`, {
        headers: at.counter.shop.headers,
      })
      const text = await response.text()
      expect(text).toContain('"refund_query"')
      expect(text).toContain('"kind":"refund"')
      expect(text).toContain(`acp:04:00:${id}`)
      expect(text).toContain('signature=[redacted]')
    },
    TIMEOUT_MS,
  )
})
