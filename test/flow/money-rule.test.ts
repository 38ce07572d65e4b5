import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { addKeys, setAccountFlags } from '#db/account/account'
import { Secret } from '#domain/secret'
import type { PaymentId } from '#domain/id'
import { runOrderStatus } from '#worker/job/order-status'
import { runPaymentQuery } from '#worker/job/payment-query'
import { runRefundQuery } from '#worker/job/refund-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { newNonce } from '../emulator/core/random.ts'
import { signCallback } from '../emulator/wechat-pay/callback.ts'
import { claimSuccess, orderObject } from '../emulator/wechat-pay/order.ts'
import { startLoggedGateway } from '../gateway/logged.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { findExceedingRefunds } from '../support/refund-invariant.ts'
import { testSealKey } from '../support/platform.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

// Payment rules, section 9: the likeliest ways to lose money, as far as this vendor shows them. Numbers 1, 5
// and 6 are in test/db/, 2 and 3 in expiry.test.ts, 4 in refund-unknown.test.ts, 8 in batch-of-300.test.ts.

const TIMEOUT_MS = 30_000

let database: TestDatabase
let scene: Scene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openScene(database.url)
}, TIMEOUT_MS)

afterEach(() => {
  scene.emulator.resetKnobs()
  scene.interceptWith(undefined)
})

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

const query = (paymentId: PaymentId) =>
  runPaymentQuery(scene.deps, { merchantId: scene.merchantId, paymentId })

const grantsOf = async (id: PaymentId) => {
  const { order_id: orderId } = await scene.payment(id)
  return scene.db
    .selectFrom('points_grant')
    .select(['kind', 'points'])
    .where('order_id', '=', orderId)
    .execute()
}

describe('money rule 7: a coupon field or a refund state is misread', () => {
  test('total 100, of which the payer paid 80: paid once with 100, by callback and by query', async () => {
    const [called, asked] = [await scene.buy({ amount: 100 }), await scene.buy({ amount: 100 })]
    expect(scene.emulator.pay(called, { payerTotal: 80 }).kind).toBe('paid')
    await scene.emulator.idle()
    await scene.applyCallbacks()
    scene.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
    expect(scene.emulator.pay(asked, { payerTotal: 80 }).kind).toBe('paid')
    await query(asked)
    for (const id of [called, asked]) {
      expect(await scene.payment(id)).toMatchObject({ state: 'paid', disposition: 'counted' })
      expect(await scene.cases(id)).toEqual([])
      expect(await grantsOf(id)).toEqual([{ kind: 'grant', points: 1n }])
    }
  })

  test('a refund of it counts in the same 100', async () => {
    const id = await scene.buy({ amount: 100 })
    scene.emulator.pay(id, { payerTotal: 80 })
    await scene.emulator.idle()
    await scene.applyCallbacks()
    const refund = await scene.askRefund(id, 100)
    await runRefundSubmit(scene.deps, { merchantId: scene.merchantId, refundId: refund })
    await runRefundQuery(scene.deps, { merchantId: scene.merchantId, refundId: refund })
    expect((await scene.order(id)).state).toBe('refunded')
  })

  test('state REFUND on the first query: paid once, and a case because we know no refund', async () => {
    const id = await scene.buy()
    scene.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
    scene.emulator.pay(id)
    scene.emulator.markRefunded(id)
    await query(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', disposition: 'counted' })
    expect(await grantsOf(id)).toHaveLength(1)
    expect(await scene.cases(id)).toEqual(['refund_at_vendor'])
    const [found] = await scene.db
      .selectFrom('open_case')
      .select('evidence')
      .where('subject', '=', id)
      .execute()
    expect(found?.evidence).toEqual({ known_refunds: '0' })
  })

  test('state REFUND in a callback of a payment that is paid: the same case, once', async () => {
    const id = await scene.buyPaid()
    await callback(id, 'REFUND')
    await callback(id, 'REFUND')
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', refund_reserved: 0n })
    expect(await scene.cases(id)).toEqual(['refund_at_vendor'])
  })

  test.each(['sent', 'succeeded', 'refused at the vendor'] as const)(
    'state REFUND after a refund of ours that is %s is no news',
    async (how) => {
      const id = await scene.buyPaid()
      const refund = await scene.askRefund(id, 500)
      const job = { merchantId: scene.merchantId, refundId: refund }
      if (how === 'sent') scene.emulator.setKnobs({ failAfterCommit: 1 })
      if (how === 'refused at the vendor') scene.emulator.setKnobs({ refundResult: 'CLOSED' })
      await runRefundSubmit(scene.deps, job)
      if (how !== 'sent') await runRefundQuery(scene.deps, job)
      await callback(id, 'REFUND')
      expect(await scene.cases(id)).toEqual([])
    },
  )

  test('state REFUND while a refund of ours was asked for and never sent: a case', async () => {
    const id = await scene.buyPaid()
    await scene.askRefund(id, 500)
    await callback(id, 'REFUND')
    expect(await scene.cases(id)).toEqual(['refund_at_vendor'])
  })
})

describe('money rule 9: an account that is switched off, rotated, or in test mode', () => {
  test(
    'switched off with payments pending and refunds in flight: all of them finish',
    async () => {
      const pending: PaymentId[] = []
      for (let count = 0; count < 50; count += 1) pending.push(await scene.buy({ amount: 300 }))
      const paid = await scene.buyPaid({ amount: 300 })
      const sent = await scene.askRefund(paid, 100)
      const waiting = await scene.askRefund(paid, 200)
      scene.emulator.setKnobs({ refundResult: 'PROCESSING' })
      await runRefundSubmit(scene.deps, { merchantId: scene.merchantId, refundId: sent })
      await accept(false)
      const refused = await scene.shop.post(scene.shop.bodyOf({}), crypto.randomUUID())
      expect(refused.status).toBe(422)
      // Half of them tell us, half are only found by asking.
      for (const [index, id] of pending.entries()) {
        scene.emulator.setKnobs(index % 2 === 0 ? {} : { dropCallbacks: 1, dropForever: true })
        expect(scene.emulator.pay(id).kind).toBe('paid')
      }
      await scene.emulator.idle()
      scene.emulator.resetKnobs()
      await scene.applyCallbacks()
      for (const id of pending) await query(id)
      const states = await Promise.all(pending.map(async (id) => (await scene.payment(id)).state))
      expect(new Set(states)).toEqual(new Set(['paid']))
      await scene.emulator.finishRefund(sent, 'SUCCESS')
      await scene.applyCallbacks()
      scene.passSeconds(61)
      await runRefundSubmit(scene.deps, { merchantId: scene.merchantId, refundId: waiting })
      await runRefundQuery(scene.deps, { merchantId: scene.merchantId, refundId: waiting })
      expect((await scene.order(paid)).state).toBe('refunded')
      expect(await findExceedingRefunds(scene.db)).toEqual([])
      await accept(true)
    },
    TIMEOUT_MS,
  )

  test('a payload sealed with the APIv3 key of before still opens beside the new one', async () => {
    const [old, fresh] = [scene.keys.merchant.apiV3Key, newNonce(32)]
    await scene.db.transaction().execute((trx) =>
      addKeys(trx, testSealKey(), {
        merchantId: scene.merchantId,
        accountId: scene.accountId,
        keys: [{ purpose: 'symmetric', serial: 'next', value: new Secret(fresh) }],
      }),
    )
    // A gateway of its own, because one that knows the account believes what it knows for two seconds.
    const gateway = await startLoggedGateway({ databaseUrl: database.url, clock: scene.deps.clock })
    for (const apiV3Key of [old, fresh, old]) {
      const id = await scene.buy()
      expect(await sealedWith(apiV3Key, id, gateway.url)).toBe(200)
      await scene.applyCallbacks()
      expect((await scene.payment(id)).state).toBe('paid')
    }
    expect(await sealedWith(newNonce(32), await scene.buy(), gateway.url)).toBe(401)
    await gateway.stop()
  })
})

describe('a poison refund notice', () => {
  test('costs only itself: its neighbours in the same job are applied', async () => {
    const [one, two] = [await scene.buyPaid(), await scene.buyPaid()]
    const refunds = [await scene.askRefund(one, 100), await scene.askRefund(two, 100)]
    for (const refundId of refunds) {
      await runRefundSubmit(scene.deps, { merchantId: scene.merchantId, refundId })
    }
    await scene.emulator.idle()
    const rows = await scene.db
      .selectFrom('notification')
      .select(['id', 'payment_number'])
      .where('state', '=', 'received')
      .orderBy('id')
      .execute()
    expect(rows).toHaveLength(2)
    const poisoned = rows[0]?.payment_number
    const db = scene.db.withPlugin(failingFor(String(poisoned)))
    const run = runOrderStatus(
      { ...scene.deps, db },
      { merchantId: scene.merchantId, notificationIds: rows.map(({ id }) => id) },
    )
    expect(await run.catch((error: unknown) => String(error))).toContain('planted')
    const left = await scene.db
      .selectFrom('notification')
      .select('payment_number')
      .where('state', '=', 'received')
      .execute()
    expect(left.map(({ payment_number: number }) => number)).toEqual([String(poisoned)])
    await scene.applyCallbacks()
  })
})

/** A database that breaks whatever asks for this value. */
const failingFor = (value: string) => ({
  transformQuery<Node>({ node }: { readonly node: Node }): Node {
    if (JSON.stringify(node, (_name, item: unknown) => printable(item)).includes(value)) {
      throw new Error('planted')
    }
    return node
  },
  transformResult: <Result>({ result }: { readonly result: Result }): Promise<Result> =>
    Promise.resolve(result),
})

const printable = (item: unknown): unknown => (typeof item === 'bigint' ? item.toString() : item)

/** Sends a success that was sealed with this key. */
async function sealedWith(apiV3Key: string, id: PaymentId, url: string): Promise<number> {
  const order = scene.emulator.order(id)
  if (order === undefined) throw new Error('the vendor knows the order')
  const { headers, body } = signCallback({
    keys: scene.keys.vendor,
    apiV3Key,
    plaintext: JSON.stringify(orderObject(claimSuccess(order, scene.now()))),
    eventType: 'TRANSACTION.SUCCESS',
    id: crypto.randomUUID(),
    now: scene.now(),
    serialMode: 'public',
  })
  const target = `${url}/callback/${scene.accountId}`
  return (await fetch(target, { method: 'POST', headers, body })).status
}

const accept = async (accepting: boolean): Promise<void> => {
  await setAccountFlags(scene.db, scene.merchantId, scene.accountId, { accepting, retired: false })
}

/** A genuine callback about a payment that the vendor holds for paid, in this state. */
async function callback(id: PaymentId, state: string): Promise<void> {
  const order = scene.emulator.order(id)
  await scene.emulator.sendCallback({
    url: `${scene.gateway.url}/callback/${scene.accountId}`,
    plaintext: {
      appid: order?.body.appid,
      mchid: order?.body.mchid,
      out_trade_no: id,
      transaction_id: order?.payment?.transactionId,
      trade_state: state,
      success_time: '2026-03-14T14:00:00+08:00',
      amount: { total: order?.body.amount.total, currency: 'CNY' },
    },
  })
  await scene.applyCallbacks()
}
