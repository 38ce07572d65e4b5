import { expect } from 'bun:test'
import type { DiscrepancyRow } from '#db/bill/discrepancy'
import type { RunRow } from '#db/bill/run'
import { addDays, businessDateOf, boundsOf } from '#domain/business-day'
import type { PaymentId, RefundId } from '#domain/id'
import { tickBills } from '#worker/bill-schedule'
import { runBillDownload } from '#worker/job/bill-download'
import { runDiscrepancyResolve } from '#worker/job/discrepancy-resolve'
import { runReconcile } from '#worker/job/reconcile'
import { runRefundQuery } from '#worker/job/refund-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { findViolations } from '../support/invariant.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

const HOUR = 3600
const DAY_MS = 86_400_000

/** A scene on one business day of the vendor, whose bills and jobs the test runs itself. */
export interface BillScene extends Scene {
  readonly businessDate: string
  /** Moves all clocks to an hour of a day in Asia/Shanghai. */
  passTo(date: string, hour: number): void
  /** The same, so many days after the day. */
  passToDay(days: number, hour: number): void
  run(date?: string, task?: RunRow['task']): ReturnType<typeof readRun>
  /** The vendor's bill is there: one tick of the schedule, and the jobs that it makes. */
  fetchDay(date?: string, task?: RunRow['task']): Promise<void>
  /** Does what a machine may repair. */
  repair(): Promise<void>
  /** Kind, subject and state of everything that was ever found. */
  found(): Promise<readonly string[]>
  /** The one discrepancy that there is. */
  findOnly(): Promise<DiscrepancyRow>
  /** Checks all invariants but that of points, whose jobs these tests do not run. */
  noViolations(): Promise<void>
  /** A payment that the customer has paid, and nobody told us. */
  payUnheard(): Promise<PaymentId>
  /** A refund that the vendor has carried out. */
  giveBack(id: PaymentId, amount: number): Promise<RefundId>
}

/**
 * Noon of a day, tomorrow's unless another is wanted, so that no test runs over a midnight; the account is of that
 * day.
 */
export async function openBillScene(databaseUrl: string, days = 1): Promise<BillScene> {
  const scene = await openScene(databaseUrl)
  const businessDate = businessDateOf(new Date(scene.now().getTime() + days * DAY_MS), 24)
  passTo(businessDate, 12)
  const account = scene.db.updateTable('channel_account').set({ created_at: scene.now() })
  await account.where('id', '=', scene.accountId).execute()

  function passTo(date: string, hour: number): void {
    const { from } = boundsOf(date, 24)
    scene.passSeconds((from.getTime() - scene.now().getTime()) / 1000 + hour * HOUR)
  }

  const { merchantId } = scene
  return {
    ...scene,
    businessDate,
    passTo,
    passToDay: (days, hour) => passTo(addDays(businessDate, days), hour),
    run: (date = businessDate, task = 'bill') => readRun(scene, date, task),
    async fetchDay(date = businessDate, task = 'bill') {
      await tickBills(scene.deps)
      const { id: runId } = await readRun(scene, date, task)
      await runBillDownload(scene.deps, { merchantId, runId })
      await runReconcile(scene.deps, { merchantId, runId })
    },
    async repair() {
      const rows = await scene.db
        .selectFrom('discrepancy')
        .select('id')
        .where('merchant_id', '=', merchantId)
        .where('state', '=', 'repairing')
        .execute()
      for (const { id } of rows) {
        await runDiscrepancyResolve(scene.deps, { merchantId, discrepancyId: id })
      }
    },
    async found() {
      const rows = await scene.db
        .selectFrom('discrepancy')
        .select(['kind', 'subject', 'state'])
        .where('merchant_id', '=', merchantId)
        .execute()
      return rows.map(({ kind, subject, state }) => `${kind} ${subject} ${state}`).toSorted()
    },
    findOnly: () =>
      scene.db
        .selectFrom('discrepancy')
        .selectAll()
        .where('merchant_id', '=', merchantId)
        .executeTakeFirstOrThrow(),
    async noViolations() {
      const acknowledged = { accountId: scene.accountId, eventKeys: [] }
      const seen = { acknowledged, effects: scene.points.effects() }
      const broken = await findViolations(scene.db, seen)
      expect(broken.filter(({ invariant }) => invariant !== 'I2')).toEqual([])
    },
    async payUnheard() {
      const id = await scene.buy()
      scene.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
      await scene.pay(id)
      scene.emulator.resetKnobs()
      return id
    },
    async giveBack(id, amount) {
      const refundId = await scene.askRefund(id, amount)
      await runRefundSubmit(scene.deps, { merchantId, refundId })
      scene.passSeconds(60)
      await runRefundQuery(scene.deps, { merchantId, refundId })
      return refundId
    },
  }
}

const readRun = (scene: Scene, date: string, task: RunRow['task']) =>
  scene.db
    .selectFrom('schedule_run')
    .selectAll()
    .where('merchant_id', '=', scene.merchantId)
    .where('task', '=', task)
    .where('business_date', '=', date)
    .executeTakeFirstOrThrow()
