import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { PaymentId } from '#domain/id'
import { runPaymentClose } from '#worker/job/payment-close'
import { runPaymentQuery } from '#worker/job/payment-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import type { KnobsPatch } from '../emulator/wechat-pay/knobs.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

// How an attempt ends that was not paid in time, and the money that comes all the same.

const TIMEOUT_MS = 30_000
/** Our deadline and the margin behind it. */
const EXPIRED_SECONDS = 1000
const MARGIN_SECONDS = 200

let database: TestDatabase
let scene: Scene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openScene(database.url)
}, TIMEOUT_MS)

afterEach(async () => {
  scene.emulator.resetKnobs()
  scene.interceptWith(undefined)
  await scene.db.updateTable('merchant').set({ late_policy: 'ask' }).execute()
})

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

const close = (paymentId: PaymentId) =>
  runPaymentClose(scene.deps, { merchantId: scene.merchantId, paymentId })
const query = (paymentId: PaymentId) =>
  runPaymentQuery(scene.deps, { merchantId: scene.merchantId, paymentId })
const state = async (id: PaymentId): Promise<string> => (await scene.payment(id)).state
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => String(error),
  )
const grantsOf = async (id: PaymentId): Promise<number> => {
  const { order_id: orderId } = await scene.payment(id)
  const rows = await scene.db
    .selectFrom('points_grant')
    .select('id')
    .where('order_id', '=', orderId)
    .execute()
  return rows.length
}

describe('OR-01 an attempt that expired', () => {
  test('is closed at the vendor first, then here, and its code pays nothing any more', async () => {
    const id = await scene.buy()
    scene.passSeconds(EXPIRED_SECONDS)
    const seen: string[] = []
    scene.interceptWith(async (url, go) => {
      seen.push(`${new URL(url).pathname.split('/').at(-1)} ${await state(id)}`)
      return go()
    })
    await close(id)
    expect(seen).toEqual(['close pending'])
    expect(scene.emulator.order(id)?.state).toBe('CLOSED')
    expect(await state(id)).toBe('closed')
    expect((await scene.payment(id)).close_proof).not.toBeNull()
    expect(await scene.pay(id)).toBe('closed')
  })

  test('is not touched before its deadline', async () => {
    const id = await scene.buy()
    await close(id)
    expect(scene.emulator.order(id)?.state).toBe('NOTPAY')
    expect(await state(id)).toBe('pending')
  })

  test.each<[string, KnobsPatch]>([
    ['no answer', { silenceAfterCommit: 1 }],
    ['500', { status500: 5 }],
    ['a page', { htmlAnswers: 5 }],
    ['a stranger signed it', { badlySignedAnswers: 5 }],
    ['429', { status429: 5 }],
  ])('stays open when the close ends with %s, and the job comes back', async (_name, knobs) => {
    const id = await scene.buy()
    scene.passSeconds(EXPIRED_SECONDS)
    scene.emulator.setKnobs(knobs)
    expect(await refusal(close(id))).toContain('TryAgain')
    expect(await state(id)).toBe('pending')
    scene.emulator.resetKnobs()
    await close(id)
    expect(await state(id)).toBe('closed')
  })

  test('an order that is not wanted any more is closed with its last attempt', async () => {
    const orderNumber = crypto.randomUUID()
    const one = await scene.buy({ orderNumber })
    const two = await scene.buy({ orderNumber, method: 'app' })
    const answer = await fetch(`${scene.gateway.url}/v1/orders/${orderNumber}/close`, {
      method: 'POST',
      headers: { ...scene.shop.headers, 'idempotency-key': crypto.randomUUID() },
    })
    expect(answer.status).toBe(202)
    await close(one)
    expect((await scene.order(one)).state).toBe('unpaid')
    await close(two)
    expect((await scene.order(one)).state).toBe('closed')
    expect([one, two].map((id) => scene.emulator.order(id)?.state)).toEqual(['CLOSED', 'CLOSED'])
  })
})

describe('OR-02 and F127: the close meets a payment', () => {
  test('paid before the close arrives: ends paid, one award', async () => {
    const id = await scene.buy()
    scene.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
    scene.emulator.pay(id)
    scene.passSeconds(EXPIRED_SECONDS)
    await close(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', disposition: 'counted' })
    expect((await scene.order(id)).state).toBe('paid')
    expect(await grantsOf(id)).toBe(1)
  })

  test('paid while the close is on its way: the same', async () => {
    const id = await scene.buy({ orderNumber: crypto.randomUUID() })
    await wantClosed(id)
    scene.interceptWith(async (url, go) => {
      // The barrier: our close has been decided, and the vendor has not heard of it.
      if (url.endsWith('/close')) expect(scene.emulator.pay(id).kind).toBe('paid')
      return go()
    })
    await close(id)
    await scene.emulator.idle()
    await scene.applyCallbacks()
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', disposition: 'counted' })
    expect(await grantsOf(id)).toBe(1)
  })

  test('closed at the vendor before the customer pays: the customer cannot, and it ends closed', async () => {
    const id = await scene.buy()
    await wantClosed(id)
    scene.interceptWith(async (_url, go) => {
      const answer = await go()
      expect(scene.emulator.pay(id)).toEqual({ kind: 'refused', reason: 'closed' })
      return answer
    })
    await close(id)
    expect(await state(id)).toBe('closed')
    expect((await scene.order(id)).state).toBe('closed')
    expect(await grantsOf(id)).toBe(0)
  })

  test('the callback is applied while the close waits for its answer: paid stays', async () => {
    const id = await scene.buy()
    scene.passSeconds(EXPIRED_SECONDS)
    scene.interceptWith(async (url, go) => {
      if (!url.endsWith('/close')) return go()
      // As late as it gets: the vendor took the money, and its callback is applied before it answers.
      const answer = await go()
      await callbackOf(id)
      return answer
    })
    await close(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', disposition: 'counted' })
    expect(await grantsOf(id)).toBe(1)
  })
})

describe('money rule 2: neither "not found" nor a time-out is "closed"', () => {
  test('a payment that the vendor does not know stays open until deadline and margin have passed', async () => {
    const id = await unknownAtVendor()
    // The merchant wants no money for it, so that each of these would close it if it could.
    await wantClosed(id)
    for (const seconds of [20, 300, 579]) {
      scene.passSeconds(seconds)
      await query(id)
      await close(id)
      expect(await state(id)).toBe('created')
    }
    scene.passSeconds(MARGIN_SECONDS)
    scene.emulator.setKnobs({ status500: 1 })
    expect(await refusal(close(id))).toContain('TryAgain')
    let calls = 0
    scene.interceptWith((_url, go) => {
      calls += 1
      // The close and its query say "not found"; the last query, which would be the proof, says nothing.
      return calls === 3 ? Promise.resolve(new Response(null, { status: 502 })) : go()
    })
    expect(await refusal(close(id))).toContain('last query')
    scene.interceptWith(undefined)
    expect(await state(id)).toBe('created')
    await close(id)
    expect(await state(id)).toBe('closed')
  })

  test('a payment after that ends late, by the policy', async () => {
    await scene.db.updateTable('merchant').set({ late_policy: 'refund' }).execute()
    const id = await scene.buy()
    await wantClosed(id)
    await close(id)
    expect((await scene.order(id)).state).toBe('closed')
    await callbackOf(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', disposition: 'late' })
    expect((await scene.order(id)).state).toBe('closed')
    expect(await scene.payment(id)).toMatchObject({ refund_reserved: 1999n })
    expect(await grantsOf(id)).toBe(0)
  })
})

describe('money rule 3: nothing is given back at expiry', () => {
  test('expiry ∥ payment, both ways: the vendor has no refund without a row of ours', async () => {
    const before = scene.emulator.refunds().length
    const [early, late] = [await scene.buy(), await scene.buy()]
    await Promise.all([wantClosed(early), wantClosed(late)])
    scene.emulator.pay(early)
    await Promise.all([close(early), close(late)])
    expect(await scene.pay(late)).toBe('closed')
    await scene.emulator.idle()
    await scene.applyCallbacks()
    expect(scene.emulator.refunds()).toHaveLength(before)
    const targets = scene.emulator.requests().map((request) => JSON.stringify(request))
    expect(targets.filter((target) => /reverse|cancel/.test(target))).toEqual([])
    // And one that is ours has its row.
    const [refund] = await scene.db
      .selectFrom('refund')
      .select('id')
      .where('payment_id', '=', early)
      .execute()
    expect(refund).toBeUndefined()
    const wanted = await scene.askRefund(early, 1)
    await runRefundSubmit(scene.deps, { merchantId: scene.merchantId, refundId: wanted })
    const rows = await scene.db.selectFrom('refund').select('id').execute()
    const ours = new Set<string>(rows.map(({ id }) => id))
    expect(scene.emulator.refunds().filter(({ outRefundNo }) => !ours.has(outRefundNo))).toEqual([])
  })
})

/** The order is not wanted any more: its attempts may be closed before their deadline. */
async function wantClosed(id: PaymentId): Promise<void> {
  const { order_id: orderId } = await scene.payment(id)
  await scene.db
    .updateTable('customer_order')
    .set({ close_wanted: true })
    .where('id', '=', orderId)
    .execute()
}

/** A genuine callback of success about an order that nobody could pay any more. */
async function callbackOf(id: PaymentId): Promise<void> {
  const payment = await scene.payment(id)
  await scene.emulator.sendCallback({
    url: `${scene.gateway.url}/callback/${scene.accountId}`,
    plaintext: {
      appid: 'wxd678efh567hg6787',
      mchid: '1900000109',
      out_trade_no: id,
      transaction_id: `4200${id}`,
      trade_state: 'SUCCESS',
      success_time: '2026-03-14T14:00:00+08:00',
      amount: {
        total: Number(payment.amount),
        payer_total: Number(payment.amount),
        currency: 'CNY',
      },
    },
  })
  await scene.applyCallbacks()
}

/** An attempt whose creating call never reached the vendor. */
async function unknownAtVendor(): Promise<PaymentId> {
  scene.emulator.setKnobs({ status500: 2 })
  const id = await scene.buy()
  scene.emulator.resetKnobs()
  expect(scene.emulator.order(id)).toBeUndefined()
  expect(await state(id)).toBe('created')
  return id
}
