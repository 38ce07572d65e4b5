import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { Jobs } from '#db/job'
import { requestRefund } from '#db/refund/refund'
import { beginRefund } from '#db/refund/send-refund'
import { assert } from '#domain/assert'
import type { PaymentId, RefundId } from '#domain/id'
import { addMs } from '#domain/time'
import type { KnobsPatch } from '../emulator/unionpay/knobs.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openUnionpayStage } from './unionpay-stage.ts'
import type { UnionpayStage } from './unionpay-stage.ts'

// UnionPay has no key that makes a repeat the same refund: one call, then notices and queries (dossier, 4.1).

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

/** Until the call has been made: a question about another refund may be answered in between. */
const MANY = 100
const AGAIN_WELL: KnobsPatch = {
  silenceAfterCommit: 0,
  failAfterCommit: 0,
  cutAnswers: 0,
  badlySignedAnswers: 0,
  unsignedAnswers: 0,
  status500: 0,
  htmlAnswers: 0,
  answerCode: '',
}

/** The vendor takes the refund, and we never hear it. */
const CUTS: readonly (readonly [string, KnobsPatch])[] = [
  // The channel waits 10 seconds.
  ['no answer in time', { silenceAfterCommit: MANY }],
  ['500 after the commit', { failAfterCommit: MANY }],
  ['an answer cut in the middle', { cutAnswers: MANY }],
  ['an answer with a bad signature', { badlySignedAnswers: MANY }],
  ['an answer without a signature', { unsignedAnswers: MANY }],
  ['the code 03', { answerCode: '03' }],
  ['the code 06', { answerCode: '06' }],
  ['the code 99', { answerCode: '99' }],
]

describe('money rule 4: a refund is sent once', () => {
  test.each(CUTS)(
    'RF-04, RF-13: after %s it is asked about and done, one in the vendor’s books',
    async (_name, knobs) => {
      const payment = await at.buyPaid(`u-${Bun.hash(JSON.stringify(knobs))}`)
      const before = at.calls()
      at.turn({ ...knobs, dropCallbacks: 100, dropForever: true })
      const id = await at.ask(payment, 500)
      await waitFor('the call', () => (at.calls() > before ? true : undefined))
      at.turn(AGAIN_WELL)
      await at.until(id, 'succeeded')
      expect(await at.newsOf(payment)).toEqual([])
      expect(at.calls() - before).toBe(1)
      expect(at.vendor.refund(id)?.attempt.amount).toBe(500n)
      expect(at.takenBack(payment)).toBe(500n)
    },
    TIMEOUT_MS,
  )

  test(
    'RF-07: killed before `sent`, it was never sent: it goes out now, once',
    async () => {
      const payment = await at.buyPaid('u-before-sent')
      const before = at.calls()
      const id = await commitWithoutJob(payment)
      await at.makeDue(id)
      await at.until(id, 'succeeded')
      expect(at.calls() - before).toBe(1)
      expect(at.takenBack(payment)).toBe(500n)
    },
    TIMEOUT_MS,
  )

  test(
    'killed after `sent` and before the call, no machine sends it: a person decides',
    async () => {
      const payment = await at.buyPaid('u-after-sent')
      const before = at.calls()
      const id = await commitWithoutJob(payment)
      const begun = await beginRefund(at.platform.db, at.counter.merchantId, id, {
        now: addMs(new Date(), -86_400_000),
        dueAt: new Date(),
        spacingSeconds: 0,
        isRepeatable: false,
        newVendorTime: () => '20260314101530',
      })
      expect(begun.kind).toBe('send')
      await at.untilCase(id, 'refund_unknown')
      expect(await at.rowOf(id)).toMatchObject({ state: 'sent', vendor_time: '20260314101530' })
      expect(await at.paymentOf(payment)).toEqual({ refunded: 0n, reserved: 500n })
      await expectNoCallEver(id, before)
    },
    TIMEOUT_MS,
  )

  test.each<[string, KnobsPatch]>([
    ['500, unhandled', { status500: MANY }],
    ['a page of a proxy', { htmlAnswers: MANY }],
    // Somebody gave the money back before, perhaps at the console.
    ['the code 45', { answerCode: '45' }],
    ['the code 46', { answerCode: '46' }],
    ['a code that nobody knows', { answerCode: 'ZZ' }],
  ])(
    'after %s its number is asked about, is absent, and stays reserved for a person',
    async (_name, knobs) => {
      const payment = await at.buyPaid(`u-${Bun.hash(JSON.stringify(knobs))}`)
      const before = at.calls()
      at.turn(knobs)
      const id = await at.ask(payment, 500)
      await waitFor('the call', () => (at.calls() > before ? true : undefined))
      at.turn(AGAIN_WELL)
      expect(await at.casesOf(id)).toEqual([])
      await at.letTimePass(id)
      await at.untilCase(id, 'refund_unknown')
      expect(await at.paymentOf(payment)).toEqual({ refunded: 0n, reserved: 500n })
      await expectNoCallEver(id, before + 1)
      expect((await at.rowOf(id)).state).toBe('sent')
    },
    TIMEOUT_MS,
  )
})

/** The refund and its reservation are committed, and its job died with the worker. */
async function commitWithoutJob(paymentId: PaymentId): Promise<RefundId> {
  const lost: Jobs = { send: () => Promise.resolve() }
  const outcome = await requestRefund(at.platform.db, lost, {
    merchantId: at.counter.merchantId,
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
  const data = { merchantId: at.counter.merchantId, refundId }
  for (let time = 0; time < 2; time += 1) {
    const asked = at.queries()
    await at.platform.db
      .transaction()
      .execute((trx) => at.jobs.send(trx, 'refund-submit', [{ data }, { data }]))
    await waitFor('two questions', () => (at.queries() >= asked + 2 ? true : undefined))
    await waitFor('a question of the sweeper', async () => {
      await at.makeDue(refundId)
      return at.queries() >= asked + 3 ? true : undefined
    })
  }
  expect(at.calls()).toBe(before)
}
