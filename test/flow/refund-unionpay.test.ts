import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { PgBoss } from 'pg-boss'
import { jobsOf, openSender } from '#db/job'
import type { Jobs } from '#db/job'
import { requestRefund } from '#db/refund'
import { beginRefund } from '#db/send-refund'
import { assert } from '#domain/assert'
import type { PaymentId, RefundId } from '#domain/id'
import { parseRefundId } from '#domain/id'
import { addMs } from '#domain/time'
import type { KnobsPatch } from '../emulator/unionpay/knobs.ts'
import { callbackFields } from '../emulator/unionpay/order.ts'
import { buyAt, openCounter, payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { findRefundViolations } from '../support/refund-invariant.ts'
import { openUnionpayTill } from '../support/unionpay-till.ts'
import type { UnionpayTill } from '../support/unionpay-till.ts'
import { waitFor } from '../support/wait.ts'

// UnionPay has no key that makes a repeat the same refund: one call, then notices and queries (dossier, 4.1).

const TIMEOUT_MS = 60_000

let database: TestDatabase
let till: UnionpayTill
let platform: Platform
let counter: Counter
let boss: PgBoss
let jobs: Jobs

beforeAll(async () => {
  database = await cloneDatabase()
  till = await openUnionpayTill()
  const localHosts = [new URL(till.vendor.url).host]
  platform = await startPlatform({ databaseUrl: database.url, localHosts })
  counter = await openCounter(platform, platform, till)
  boss = await openSender(database.url, () => undefined)
  jobs = jobsOf(boss)
}, TIMEOUT_MS)

afterEach(async () => {
  till.vendor.resetKnobs()
  expect(await findRefundViolations(platform.db, platform.points.effects())).toEqual([])
})

afterAll(async () => {
  await boss.stop()
  await platform.stop()
  await till.vendor.stop()
  await database.drop()
}, TIMEOUT_MS)

const AMOUNT = 2000
const turn = (knobs: KnobsPatch): void => void till.vendor.setKnobs(knobs)

/** A paid payment whose points are there. */
async function buyPaid(userId: string): Promise<PaymentId> {
  const id = await buyAt(counter, { amount: AMOUNT, userId })
  await payAt(counter, id)
  await counter.shop.waitForState(id, 'paid')
  await waitFor('points', () => (platform.points.balance(userId) > 0 ? true : undefined))
  return id
}

async function ask(payment: PaymentId, amount: number): Promise<RefundId> {
  const id = parseRefundId((await counter.shop.refund(payment, amount)).id)
  assert(id !== undefined, 'a refund has a number')
  return id
}

const rowOf = (id: RefundId) =>
  platform.db.selectFrom('refund').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

const until = (id: RefundId, state: string) =>
  waitFor(`refund ${id} ${state}`, async () => {
    const row = await rowOf(id)
    return row.state === state ? row : undefined
  })

const casesOf = async (id: RefundId): Promise<readonly string[]> => {
  const rows = await platform.db
    .selectFrom('open_case')
    .select('kind')
    .where('subject', '=', id)
    .orderBy('kind')
    .execute()
  return rows.map(({ kind }) => kind)
}

const untilCase = (id: RefundId, kind: string) =>
  waitFor(`case ${kind}`, async () => ((await casesOf(id)).includes(kind) ? true : undefined))

/** Every word about the payment or the refund, by what became of it. */
async function newsOf(payment: PaymentId): Promise<readonly (string | null)[]> {
  const { rows } = await sql<{ state: string; code: string }>`
    SELECT state, facts ->> 'refundStateText' AS code FROM notification
    WHERE facts ->> 'kind' = 'refund' AND payment_number = ${payment} ORDER BY id`.execute(
    platform.db,
  )
  return rows.map(({ state, code }) => `${code} ${state}`)
}

const countOf = (path: string): number =>
  till.vendor.requests().filter(({ target }) => target.endsWith(path)).length
/** Calls that may move money, the order of the QR code among them. */
const calls = (): number => countOf('/backTransReq.do')
const queries = (): number => countOf('/queryTrans.do')

/** The vendor's own books. */
const booked = (id: RefundId) => till.vendor.refund(id)
const takenBack = (payment: PaymentId): bigint | undefined => till.vendor.order(payment)?.takenBack

/** As if it had been sent long ago: now its absence means something, and it comes up again at once. */
const letTimePass = (id: RefundId) =>
  sql`UPDATE refund SET sent_at = sent_at - interval '1 day', due_at = now() - interval '1 second'
      WHERE id = ${id}`.execute(platform.db)

const paymentOf = (id: PaymentId) =>
  platform.db
    .selectFrom('payment')
    .select(['refunded', 'refund_reserved as reserved'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()

/** The vendor tells the end of a refund once more, or otherwise than before. */
async function tell(id: RefundId, code: string, without: readonly string[] = []): Promise<void> {
  const refund = booked(id)
  assert(refund !== undefined, 'the vendor knows the refund')
  const fields = callbackFields(refund, { ...refund.attempt, code })
  const left = Object.entries(fields).filter(([name]) => !without.includes(name))
  const { outcome } = await till.vendor.sendCallback({
    url: counter.address,
    fields: Object.fromEntries(left),
  })
  expect(outcome).toBe('acknowledged')
}

describe('a refund at UnionPay', () => {
  test(
    'is accepted at once, ends by its own notice, and takes points back',
    async () => {
      turn({ holdRefunds: true })
      const payment = await buyPaid('u-notice')
      const id = await ask(payment, 500)
      const accepted = await until(id, 'accepted')
      expect(accepted.vendor_time).toBe(booked(id)?.message.fields['txnTime'] ?? '')
      expect(accepted.channel_refund_id).toBe(booked(id)?.attempt.queryId ?? '')
      expect(await paymentOf(payment)).toEqual({ refunded: 0n, reserved: 500n })
      await till.vendor.finishRefund(id).done
      await until(id, 'succeeded')
      expect(takenBack(payment)).toBe(500n)
      expect(await newsOf(payment)).toEqual(['00 applied'])
      expect((await counter.shop.read(payment)).order.state).toBe('partly_refunded')
      // 20 points for 20.00; 15.00 left keeps 15.
      await waitFor('points taken back', () =>
        platform.points.balance('u-notice') === 15 ? true : undefined,
      )
    },
    TIMEOUT_MS,
  )

  test(
    'two parts have their own numbers and times, and add up to the payment',
    async () => {
      const payment = await buyPaid('u-parts')
      const one = await ask(payment, 1200)
      await until(one, 'succeeded')
      const two = await ask(payment, 800)
      await until(two, 'succeeded')
      expect(takenBack(payment)).toBe(2000n)
      expect((await counter.shop.read(payment)).order.state).toBe('refunded')
      const response = await counter.shop.askRefund(payment, { amount: 1 }, crypto.randomUUID())
      expect(response.status).toBe(409)
      await waitFor('no points left', () =>
        platform.points.balance('u-parts') === 0 ? true : undefined,
      )
    },
    TIMEOUT_MS,
  )

  test(
    'whose notice overtakes the answer is done all the same',
    async () => {
      const payment = await buyPaid('u-early')
      turn({ callbackBeforeAnswer: true })
      const id = await ask(payment, 500)
      await until(id, 'succeeded')
      expect(await casesOf(id)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'whose notices are all lost is found by a query of its own number',
    async () => {
      turn({ dropCallbacks: 1, dropForever: true })
      const payment = await buyAt(counter, { amount: AMOUNT })
      turn({ dropCallbacks: 0 })
      await payAt(counter, payment)
      await counter.shop.waitForState(payment, 'paid')
      turn({ dropCallbacks: 100, dropForever: true })
      const id = await ask(payment, 500)
      await until(id, 'accepted')
      await letTimePass(id)
      await until(id, 'succeeded')
      expect(await newsOf(payment)).toEqual([])
      expect(takenBack(payment)).toBe(500n)
    },
    TIMEOUT_MS,
  )

  test(
    'that the vendor refuses gives its amount free, and is tried again under a new number',
    async () => {
      const payment = await buyPaid('u-refused')
      turn({ answerCode: '38' })
      const id = await ask(payment, 2000)
      expect((await until(id, 'refused')).refusal_code).toBe('38')
      expect(await casesOf(id)).toEqual(['refund_refused'])
      expect(booked(id)).toBeUndefined()
      turn({ answerCode: '' })
      const again = await ask(payment, 2000)
      await until(again, 'succeeded')
      expect(takenBack(payment)).toBe(2000n)
    },
    TIMEOUT_MS,
  )
})

/** The vendor takes the refund, and we never hear it. */
const CUTS: readonly (readonly [string, KnobsPatch])[] = [
  ['500 after the commit', { failAfterCommit: 1 }],
  ['an answer cut in the middle', { cutAnswers: 1 }],
  ['an answer with a bad signature', { badlySignedAnswers: 1 }],
  ['an answer without a signature', { unsignedAnswers: 1 }],
  ['the code 03', { answerCode: '03' }],
  ['the code 06', { answerCode: '06' }],
  ['the code 99', { answerCode: '99' }],
]

describe('money rule 4: a refund is sent once', () => {
  test.each(CUTS)(
    'RF-04, RF-13: after %s it is asked about and done, one in the vendor’s books',
    async (_name, knobs) => {
      const payment = await buyPaid(`u-${Bun.hash(JSON.stringify(knobs))}`)
      const before = calls()
      turn({ ...knobs, dropCallbacks: 100, dropForever: true })
      const id = await ask(payment, 500)
      await waitFor('the call', () => (calls() > before ? true : undefined))
      await until(id, 'succeeded')
      expect(await newsOf(payment)).toEqual([])
      expect(calls() - before).toBe(1)
      expect(till.vendor.refund(id)?.attempt.amount).toBe(500n)
      expect(takenBack(payment)).toBe(500n)
    },
    TIMEOUT_MS,
  )

  test(
    'RF-07: killed before `sent`, it was never sent: it goes out now, once',
    async () => {
      const payment = await buyPaid('u-before-sent')
      const before = calls()
      const id = await commitWithoutJob(payment)
      await sql`UPDATE refund SET due_at = now() - interval '1 second' WHERE id = ${id}`.execute(
        platform.db,
      )
      await until(id, 'succeeded')
      expect(calls() - before).toBe(1)
      expect(takenBack(payment)).toBe(500n)
    },
    TIMEOUT_MS,
  )

  test(
    'killed after `sent` and before the call, no machine sends it: a person decides',
    async () => {
      const payment = await buyPaid('u-after-sent')
      const before = calls()
      const id = await commitWithoutJob(payment)
      const begun = await beginRefund(platform.db, counter.merchantId, id, {
        now: addMs(new Date(), -86_400_000),
        dueAt: new Date(),
        spacingSeconds: 0,
        isRepeatable: false,
        newVendorTime: () => '20260314101530',
      })
      expect(begun.kind).toBe('send')
      await untilCase(id, 'refund_unknown')
      expect(await rowOf(id)).toMatchObject({ state: 'sent', vendor_time: '20260314101530' })
      expect(await paymentOf(payment)).toEqual({ refunded: 0n, reserved: 500n })
      await expectNoCallEver(id, before)
    },
    TIMEOUT_MS,
  )

  test.each<[string, KnobsPatch]>([
    ['500, unhandled', { status500: 1 }],
    ['a page of a proxy', { htmlAnswers: 1 }],
    // Somebody gave the money back before, perhaps at the console.
    ['the code 45', { answerCode: '45' }],
    ['the code 46', { answerCode: '46' }],
    ['a code that nobody knows', { answerCode: 'ZZ' }],
  ])(
    'after %s its number is asked about, is absent, and stays reserved for a person',
    async (_name, knobs) => {
      const payment = await buyPaid(`u-${Bun.hash(JSON.stringify(knobs))}`)
      const before = calls()
      turn(knobs)
      const id = await ask(payment, 500)
      await waitFor('the call', () => (calls() > before ? true : undefined))
      turn({ answerCode: '' })
      expect(await casesOf(id)).toEqual([])
      await letTimePass(id)
      await untilCase(id, 'refund_unknown')
      expect(await paymentOf(payment)).toEqual({ refunded: 0n, reserved: 500n })
      await expectNoCallEver(id, before + 1)
      expect((await rowOf(id)).state).toBe('sent')
    },
    TIMEOUT_MS,
  )
})

/** The refund and its reservation are committed, and its job died with the worker. */
async function commitWithoutJob(paymentId: PaymentId): Promise<RefundId> {
  const lost: Jobs = { send: () => Promise.resolve() }
  const outcome = await requestRefund(platform.db, lost, {
    merchantId: counter.merchantId,
    paymentId,
    amountMinor: 500n,
    reason: 'test',
    origin: 'merchant',
    now: addMs(new Date(), 60_000),
  })
  assert(outcome.kind === 'requested', `expected a refund, found ${outcome.kind}`)
  return outcome.refund.id
}

/** Its jobs run again and again, as after a crash; each asks, and none calls. */
async function expectNoCallEver(refundId: RefundId, before: number): Promise<void> {
  const data = { merchantId: counter.merchantId, refundId }
  for (let time = 0; time < 3; time += 1) {
    const asked = queries()
    await platform.db
      .transaction()
      .execute((trx) => jobs.send(trx, 'refund-submit', [{ data }, { data }]))
    await waitFor('two questions', () => (queries() >= asked + 2 ? true : undefined))
    await letTimePass(refundId)
    await waitFor('another question', () => (queries() > asked + 2 ? true : undefined))
  }
  expect(calls()).toBe(before)
}

describe('money rule 6: notices about one refund', () => {
  test(
    'RF-10: a failure and then a success are both stored, both applied, and a person hears of it',
    async () => {
      turn({ holdRefunds: true })
      const payment = await buyPaid('u-contradiction')
      const id = await ask(payment, 500)
      await until(id, 'accepted')
      await till.vendor.finishRefund(id, '01').done
      await until(id, 'refused')
      expect(await paymentOf(payment)).toEqual({ refunded: 0n, reserved: 0n })
      await tell(id, '01')
      await tell(id, '00')
      await until(id, 'succeeded')
      expect(await newsOf(payment)).toEqual(['01 applied', '00 applied'])
      expect(await paymentOf(payment)).toEqual({ refunded: 500n, reserved: 500n })
      expect(await casesOf(id)).toEqual(['refund_contradicted', 'refund_refused'])
      await waitFor('points taken back', () =>
        platform.points.balance('u-contradiction') === 15 ? true : undefined,
      )
    },
    TIMEOUT_MS,
  )

  test(
    'a failure that comes after the success changes nothing, and is stored too',
    async () => {
      const payment = await buyPaid('u-stale')
      const id = await ask(payment, 500)
      await until(id, 'succeeded')
      await tell(id, '01')
      await waitFor('both', async () =>
        (await newsOf(payment)).join() === '00 applied,01 applied' ? true : undefined,
      )
      expect((await rowOf(id)).state).toBe('succeeded')
      expect(await casesOf(id)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'one that does not bring back the payment’s number finds it by the refund',
    async () => {
      turn({ holdRefunds: true })
      const payment = await buyPaid('u-bare')
      const id = await ask(payment, 500)
      await until(id, 'accepted')
      await tell(id, '00', ['reqReserved', 'origQryId'])
      await until(id, 'succeeded')
      expect(await paymentOf(payment)).toEqual({ refunded: 500n, reserved: 500n })
    },
    TIMEOUT_MS,
  )

  test(
    'the time line of the payment tells the call, the notice and the query of its refund',
    async () => {
      turn({ holdRefunds: true })
      const payment = await buyPaid('u-line')
      const id = await ask(payment, 500)
      await until(id, 'accepted')
      const asked = queries()
      await letTimePass(id)
      await waitFor('a query', () => (queries() > asked ? true : undefined))
      await till.vendor.finishRefund(id).done
      await until(id, 'succeeded')
      const response = await fetch(`${platform.gateway.url}/v1/payments/${payment}/timeline`, {
        headers: counter.shop.headers,
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
