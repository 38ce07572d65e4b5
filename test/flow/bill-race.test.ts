import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { confirmPayment } from '#db/payment/confirm-payment'
import type { PaymentId } from '#domain/id'
import type { PaymentFacts } from '#domain/notification'
import { runDiscrepancyResolve } from '#worker/job/discrepancy-resolve'
import { runOrderStatus } from '#worker/job/order-status'
import { runPaymentQuery } from '#worker/job/payment-query'
import { orderObject } from '../emulator/wechat-pay/order.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'

// The repair after a bill beside everything else that can confirm the same payment.

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

describe('PT-01, F131: the repair and everything else that can confirm the same payment', () => {
  const facts = async (id: PaymentId): Promise<PaymentFacts> => {
    const order = scene.emulator.order(id)
    return {
      kind: 'payment',
      paymentNumber: id,
      identity: { mchid: order?.body.mchid ?? '', appid: order?.body.appid ?? '' },
      vendorState: 'success',
      vendorStateText: 'SUCCESS',
      channelPaymentId: order?.payment?.transactionId ?? '',
      amountMinor: BigInt(order?.body.amount.total ?? 0),
      currency: 'CNY',
      paidAt: order?.payment?.paidAt ?? new Date(),
    }
  }

  test.each(['at once', 'the callback first', 'the repair first'] as const)(
    'pay it once and give its points once (%s)',
    async (order) => {
      const unheard = await scene.payUnheard()
      scene.passToDay(1, 11)
      await scene.fetchDay()
      const { id: discrepancyId } = await scene.findOnly()
      const job = { merchantId: scene.merchantId, discrepancyId }
      const said = await facts(unheard)
      // The callback that was late is stored now; everybody who may confirm does.
      const body = scene.emulator.order(unheard)
      if (body === undefined) throw new Error('the vendor has the order')
      await scene.emulator.sendCallback({ url: body.body.notify_url, plaintext: orderObject(body) })
      const notifications = await scene.db.selectFrom('notification').select('id').execute()
      const late = () =>
        runOrderStatus(scene.deps, {
          merchantId: scene.merchantId,
          notificationIds: notifications.map((row) => row.id),
        })
      const others = () =>
        Promise.all([
          late(),
          runPaymentQuery(scene.deps, { merchantId: scene.merchantId, paymentId: unheard }),
          scene.db
            .transaction()
            .execute((trx) =>
              confirmPayment(
                trx,
                scene.deps,
                scene.merchantId,
                [{ facts: said, channelAccountId: scene.accountId }],
                'operator',
              ),
            ),
        ])
      if (order === 'at once') await Promise.all([runDiscrepancyResolve(scene.deps, job), others()])
      if (order === 'the callback first')
        await others().then(() => runDiscrepancyResolve(scene.deps, job))
      if (order === 'the repair first') await runDiscrepancyResolve(scene.deps, job).then(others)
      expect((await scene.payment(unheard)).state).toBe('paid')
      expect((await scene.findOnly()).state).toBe('resolved')
      const grants = await scene.db.selectFrom('points_grant').select('kind').execute()
      expect(grants).toEqual([{ kind: 'grant' }])
      const paidMoves = await scene.db
        .selectFrom('state_change')
        .select('to_state')
        .where('subject_id', '=', unheard)
        .where('to_state', '=', 'paid')
        .execute()
      expect(paidMoves).toHaveLength(1)
      await scene.noViolations()
    },
  )
})
