import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { sweep } from '#db/sweep'
import { beginRefund } from '#db/refund/send-refund'
import type { PaymentId, RefundId } from '#domain/id'
import { addMs } from '#domain/time'
import { runCompensation } from '#worker/job/compensation'
import { runRefundQuery } from '#worker/job/refund-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import type { KnobsPatch } from '../emulator/wechat-pay/knobs.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { findExceedingRefunds } from '../support/refund-invariant.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

// What becomes of a refund when a call, its answer or our process is lost.

const TIMEOUT_MS = 30_000
const MINUTE = 60
const DAY = 86_400

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

const jobOf = (refundId: RefundId) => ({ merchantId: scene.merchantId, refundId })
const submit = (id: RefundId) => runRefundSubmit(scene.deps, jobOf(id))
const query = (id: RefundId) => runRefundQuery(scene.deps, jobOf(id))
const state = async (id: RefundId): Promise<string> => (await scene.refund(id)).state
const atVendor = (payment: PaymentId) => scene.emulator.refundsOf(payment)

async function expectSound(): Promise<void> {
  expect(await findExceedingRefunds(scene.db)).toEqual([])
}

describe('a refund that is sent', () => {
  test('RF-03 the amount at the vendor is the amount that is stored, of the whole that was paid', async () => {
    const id = await scene.buyPaid({ amount: 1999 })
    const refund = await scene.askRefund(id, 333)
    await submit(refund)
    const row = await scene.refund(refund)
    expect(scene.emulator.refund(refund)).toMatchObject({
      amount: Number(row.amount),
      total: 1999,
    })
    expect(atVendor(id).map(({ outRefundNo }) => outRefundNo)).toEqual([refund])
  })

  test('RF-05 its number is committed before the call', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 500)
    const seen: string[] = []
    scene.interceptWith(async (_url, go) => {
      // Another connection sees what is committed, and nothing else.
      const { state: now, sent_at: sentAt, attempts } = await scene.refund(refund)
      seen.push(`${now} ${sentAt !== null} ${attempts}`)
      return go()
    })
    await submit(refund)
    expect(seen).toEqual(['sent true 1'])
    expect(atVendor(id).map(({ outRefundNo }) => outRefundNo)).toEqual([refund])
  })
})

describe('RF-04 and money rule 4: commit, then cut', () => {
  test.each<[string, KnobsPatch]>([
    ['no answer in time', { silenceAfterCommit: 1 }],
    ['an answer cut in the middle', { cutAnswers: 1 }],
    ['500 after the commit', { failAfterCommit: 1 }],
    ['RF-13 an answer signed by a stranger', { badlySignedAnswers: 1 }],
    ['RF-13 an answer without a signature', { unsignedAnswers: 1 }],
  ])('%s: unknown, asked about, one refund in the books', async (_name, knobs) => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 1999)
    scene.emulator.setKnobs(knobs)
    await submit(refund)
    expect(await state(refund)).toBe('sent')
    expect((await scene.payment(id)).refund_reserved).toBe(1999n)
    expect(await scene.cases(refund)).toEqual([])
    await query(refund)
    expect(await state(refund)).toBe('succeeded')
    expect(atVendor(id)).toHaveLength(1)
    await expectSound()
  })

  test('the call sent again is the same number, and the same refund', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 1999)
    scene.emulator.setKnobs({ failAfterCommit: 1 })
    await submit(refund)
    // Not before the vendor's pause: the job goes round, and nothing is sent.
    await submit(refund)
    expect((await scene.refund(refund)).attempts).toBe(1n)
    scene.passSeconds(MINUTE + 1)
    await submit(refund)
    expect((await scene.refund(refund)).attempts).toBe(2n)
    expect(atVendor(id).map(({ outRefundNo }) => outRefundNo)).toEqual([refund])
  })

  test('killed before the call: absent at the vendor, then sent under the same number', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 700)
    const now = scene.now()
    // As far as a job comes that dies between its commit and its call.
    const begun = await beginRefund(scene.db, scene.merchantId, refund, {
      now,
      dueAt: addMs(now, MINUTE * 1000),
      spacingSeconds: MINUTE,
      isRepeatable: true,
      newVendorTime: () => undefined,
    })
    expect(begun.kind).toBe('send')
    await query(refund)
    // Absent so soon means nothing yet.
    expect(await jobsFor(refund, 'refund-submit')).toBe(1)
    scene.passSeconds(MINUTE + 1)
    await query(refund)
    expect(await jobsFor(refund, 'refund-submit')).toBe(2)
    await submit(refund)
    await query(refund)
    expect(await state(refund)).toBe('succeeded')
    expect(atVendor(id).map(({ outRefundNo }) => outRefundNo)).toEqual([refund])
  })

  test('killed after the call: the job that comes again finds what is there', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 700)
    scene.interceptWith(async (_url, go) => {
      await go()
      throw new Error('the process is gone')
    })
    await submit(refund)
    scene.interceptWith(undefined)
    expect(await state(refund)).toBe('sent')
    scene.passSeconds(2 * MINUTE)
    await submit(refund)
    await query(refund)
    expect(await state(refund)).toBe('succeeded')
    expect(atVendor(id)).toHaveLength(1)
  })
})

describe('RF-07 the sweep knows what was never sent', () => {
  test('never sent is sent, sent is asked about, and neither is mixed up', async () => {
    const id = await scene.buyPaid()
    const fresh = await scene.askRefund(id, 100)
    await runCompensation(scene.deps, { merchantId: scene.merchantId, refundIds: [fresh] }, quiet)
    // One from the request, one from the sweep.
    expect([await jobsFor(fresh, 'refund-submit'), await jobsFor(fresh, 'refund-query')]).toEqual([
      2, 0,
    ])
    const before = scene.emulator.requests().length
    await query(fresh)
    // There is nothing to ask about, so nobody is asked.
    expect(scene.emulator.requests()).toHaveLength(before)
    expect(await state(fresh)).toBe('requested')
    scene.emulator.setKnobs({ status500: 1 })
    await submit(fresh)
    await runCompensation(scene.deps, { merchantId: scene.merchantId, refundIds: [fresh] }, quiet)
    expect([await jobsFor(fresh, 'refund-submit'), await jobsFor(fresh, 'refund-query')]).toEqual([
      2, 1,
    ])
  })

  test('the vendor has no money: kept as requested, the same number goes later', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 100)
    scene.emulator.setKnobs({ refundNotEnough: 1 })
    await submit(refund)
    expect(await state(refund)).toBe('requested')
    expect((await scene.payment(id)).refund_reserved).toBe(100n)
    expect((await scene.refund(refund)).due_at?.getTime()).toBeGreaterThan(scene.now().getTime())
    scene.passSeconds(11 * MINUTE)
    expect(await sweepNow()).toBeGreaterThan(0)
    await submit(refund)
    await query(refund)
    expect(await state(refund)).toBe('succeeded')
    expect(atVendor(id).map(({ outRefundNo }) => outRefundNo)).toEqual([refund])
  })

  test('a refund behind another one waits without making more and more jobs', async () => {
    const id = await scene.buyPaid()
    const stuck = await scene.askRefund(id, 100)
    const behind = await scene.askRefund(id, 200)
    scene.emulator.setKnobs({ status500: 1_000 })
    await submit(stuck)
    await submit(behind)
    expect(await state(behind)).toBe('requested')
    const before = await jobsFor(behind, 'refund-submit')
    for (let round = 0; round < 5; round += 1) {
      scene.passSeconds(MINUTE)
      await submit(behind)
    }
    expect(await jobsFor(behind, 'refund-submit')).toBe(before)
    // It is the row that comes back, each time after its pause.
    expect((await scene.refund(behind)).due_at?.getTime()).toBeGreaterThan(scene.now().getTime())
    scene.emulator.resetKnobs()
    scene.passSeconds(5 * MINUTE)
    await query(stuck)
    await submit(stuck)
    await query(stuck)
    expect(await state(stuck)).toBe('succeeded')
    scene.passSeconds(2 * MINUTE)
    await submit(behind)
    await query(behind)
    expect(await state(behind)).toBe('succeeded')
    await expectSound()
  })
})

describe('RF-08 a refund that is unknown for days', () => {
  test('is asked about ever more rarely, is never given up, and takes a late success', async () => {
    const id = await scene.buyPaid()
    const refund = await scene.askRefund(id, 1999)
    scene.emulator.setKnobs({ refundResult: 'PROCESSING' })
    await submit(refund)
    expect(await state(refund)).toBe('accepted')
    const pauses: number[] = []
    for (const seconds of [5 * MINUTE, 3600, DAY, DAY, DAY]) {
      scene.passSeconds(seconds)
      await query(refund)
      const due = (await scene.refund(refund)).due_at
      pauses.push(Math.round(((due?.getTime() ?? 0) - scene.now().getTime()) / 1000))
    }
    expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses)
    expect(Math.max(...pauses)).toBe(DAY)
    expect(await state(refund)).toBe('accepted')
    expect((await scene.payment(id)).refund_reserved).toBe(1999n)
    await scene.emulator.finishRefund(refund, 'SUCCESS')
    await scene.applyCallbacks()
    expect(await state(refund)).toBe('succeeded')
    expect((await scene.order(id)).state).toBe('refunded')
    await expectSound()
  })
})

const quiet = new AbortController().signal

async function jobsFor(refund: RefundId, queue: string): Promise<number> {
  const { rows } = await sql`
    SELECT 1 FROM pgboss.job WHERE name = ${queue} AND data ->> 'refundId' = ${refund}`.execute(
    scene.db,
  )
  return rows.length
}

const sweepNow = async (): Promise<number> => {
  const now = scene.now()
  const counts = await sweep(scene.db, scene.deps.jobs, {
    now,
    overdueSince: now,
    nextQueryAt: addMs(now, MINUTE * 1000),
  })
  return counts.refunds
}
