import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from 'bun:test'
import { openCase } from '#db/case/case'
import { retryRefund } from '#db/case/decide-refund'
import type { RetryOutcome } from '#db/case/decide-refund'
import type { RefundRow } from '#db/refund/refund'
import { assert } from '#domain/assert'
import { parseRefundId } from '#domain/id'
import type { RefundId } from '#domain/id'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import { lineUp, ordersOf } from '../support/line-up.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'
import { openOperator } from './operator.ts'
import type { Operator } from './operator.ts'

// What a person decides about refunds (payment rules, sections 4 and 5).

const TIMEOUT_MS = 30_000
setDefaultTimeout(TIMEOUT_MS)

let database: TestDatabase
let desk: Desk
let operator: Operator

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)
beforeEach(async () => {
  await desk?.stop()
  desk = await openDesk(database.url)
  operator = openOperator(desk)
}, TIMEOUT_MS)
afterAll(async () => {
  await desk.stop()
  await database.drop()
})

async function expectSound(): Promise<void> {
  expect(await desk.violations()).toEqual([])
  expect(await findBrokenAudit(desk.db)).toEqual([])
}

interface Doubtful extends Counter {
  readonly refund: RefundRow
}

/** A refund of a paid order that the vendor has heard of. */
async function sent(amount = 1500n): Promise<Doubtful> {
  const counter = await desk.order(2000)
  await desk.pay(counter.first)
  const refund = await desk.refund(counter.first, amount)
  await desk.markSent(refund)
  return { ...counter, refund }
}

async function refused(amount = 1500n): Promise<Doubtful> {
  const counter = await sent(amount)
  await desk.hear(refundFactsOf(counter.first, counter.refund, 'refused'))
  return counter
}

async function abnormal(): Promise<Doubtful> {
  const counter = await sent()
  await desk.hear(refundFactsOf(counter.first, counter.refund, 'accepted'))
  await desk.hear(refundFactsOf(counter.first, counter.refund, 'abnormal'))
  return counter
}

/** As a refund query leaves it where the vendor has no refund key. */
async function unknown(): Promise<Doubtful> {
  const counter = await sent()
  const { merchant_id: merchantId, id: subject } = counter.refund
  await openCase(desk.db, { merchantId, kind: 'refund_unknown', subject, evidence: {} })
  return counter
}

const states = async (counter: Doubtful): Promise<readonly string[]> => {
  const refunds = await desk.refunds(counter.first.paymentId)
  return refunds.map(({ origin, state, amount }) => `${origin} ${state} ${amount}`)
}

const retry = (refundId: RefundId): Promise<RetryOutcome> =>
  retryRefund(desk.db, desk.deps, { refundId, actor: 'bob', reason: 'balance is filled up' })

const witnessOf = async (id: RefundId): Promise<string | undefined> => {
  const row = await desk.db
    .selectFrom('state_change')
    .select('witness')
    .where('subject_id', '=', id)
    .orderBy('at', 'desc')
    .executeTakeFirst()
  return row?.witness
}

describe('RF-06 a refused refund', () => {
  // Of 2000, so that a second retry would fit.
  test('is sent again under a new number, once', async () => {
    const counter = await refused(900n)
    const caseId = await operator.caseOf(counter.refund.id)
    await operator.decide(caseId, 'retry')
    expect(await states(counter)).toEqual(['merchant refused 900', 'operator requested 900'])
    const [, again] = await desk.refunds(counter.first.paymentId)
    expect(await desk.jobs('refund-submit', again?.id ?? '')).toBe(1)
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({ reserved: 900n })
    expect((await operator.decide(caseId, 'retry')).kind).toBe('already_resolved')
    expect(await retry(counter.refund.id)).toMatchObject({ kind: 'impossible' })
    expect((await states(counter)).length).toBe(2)
    await expectSound()
  })

  test('can be retried without its case, which that resolves; and the retry may be retried', async () => {
    const counter = await refused(900n)
    const caseId = await operator.caseOf(counter.refund.id)
    const outcome = await retry(counter.refund.id)
    assert(outcome.kind === 'retried', 'a refused refund can be retried')
    expect(await operator.caseState(caseId)).toBe('resolved')
    await desk.markSent(outcome.refund)
    await desk.hear(refundFactsOf(counter.first, outcome.refund, 'refused'))
    expect((await retry(outcome.refund.id)).kind).toBe('retried')
    expect(await states(counter)).toEqual([
      'merchant refused 900',
      'operator refused 900',
      'operator requested 900',
    ])
    await expectSound()
  })

  test('is retried once however many say it at the same time, by case or by number', async () => {
    const counter = await refused(900n)
    const caseId = await operator.caseOf(counter.refund.id)
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        index % 2 === 0 ? retry(counter.refund.id) : operator.decide(caseId, 'retry'),
      ),
    )
    expect(await states(counter)).toEqual(['merchant refused 900', 'operator requested 900'])
    await expectSound()
  })

  test('is not retried when less is left by now; the case stays open', async () => {
    const counter = await refused()
    await desk.refund(counter.first, 501n)
    const caseId = await operator.caseOf(counter.refund.id)
    expect(await operator.resolve(counter.refund.id, 'retry')).toContain('less than 1500 fen')
    expect(await operator.caseState(caseId)).toBe('open')
    expect(await retry(counter.refund.id)).toMatchObject({ kind: 'impossible' })
    expect(await operator.caseState(caseId)).toBe('open')
    expect(await operator.audited(caseId)).toEqual([])
    await expectSound()
  })

  test('that the vendor pays after all is for a person, with the retry in the way', async () => {
    const counter = await refused()
    await operator.resolve(counter.refund.id, 'retry')
    await desk.hear(refundFactsOf(counter.first, counter.refund, 'succeeded'))
    expect(await desk.cases(counter.refund.id)).toContain('refund_exceeds')
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({ reserved: 1500n })
    await expectSound()
  })

  test.each(['requested', 'sent', 'accepted', 'abnormal', 'succeeded'] as const)(
    'only: one that is %s is not retried',
    async (state) => {
      const counter = await desk.order(2000)
      await desk.pay(counter.first)
      const refund = await desk.refund(counter.first, 1500n)
      if (state === 'sent') await desk.markSent(refund)
      else if (state !== 'requested') await desk.hear(refundFactsOf(counter.first, refund, state))
      const outcome = await retry(refund.id)
      expect(outcome).toEqual({
        kind: 'impossible',
        problem: `refund ${refund.id} is ${state}; only a refused one is tried again`,
      })
      expect((await desk.refunds(counter.first.paymentId)).length).toBe(1)
    },
  )

  test('that nobody knows is not found', async () => {
    const id = parseRefundId(`r${'0'.repeat(25)}`)
    assert(id !== undefined, 'a refund id')
    expect(await retry(id)).toEqual({ kind: 'refund_not_found' })
  })
})

describe.each([
  ['abnormal', abnormal],
  ['unknown', unknown],
] as const)('a refund that is %s', (name, make) => {
  test("succeeded by the operator's word: money, order and points follow", async () => {
    const counter = await make()
    const caseId = await operator.caseOf(counter.refund.id)
    await operator.decide(caseId, 'succeeded')
    expect(await states(counter)).toEqual(['merchant succeeded 1500'])
    expect(await witnessOf(counter.refund.id)).toBe('operator')
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({
      reserved: 1500n,
      refunded: 1500n,
    })
    expect(await desk.orderState(counter.orderId)).toBe('partly_refunded')
    expect((await desk.points(counter.orderId)).map(({ kind }) => kind)).toEqual([
      'grant',
      'revoke',
    ])
    expect(await operator.audited(caseId)).toEqual(['ann case.succeeded: as the customer said'])
    await expectSound()
  })

  test("refused by the operator's word: the amount is free again, and no new case is opened", async () => {
    const counter = await make()
    await operator.resolve(counter.refund.id, 'refused')
    expect(await states(counter)).toEqual(['merchant refused 1500'])
    expect(await witnessOf(counter.refund.id)).toBe('operator')
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({ reserved: 0n })
    expect(await desk.cases(counter.refund.id)).toEqual([`refund_${name}`])
    expect((await desk.ask(counter.first, 2000n)).kind).toBe('requested')
    await expectSound()
  })

  test('gets no new number where the vendor has no refund key (money rule 4)', async () => {
    const counter = await make()
    const caseId = await operator.caseOf(counter.refund.id)
    expect(await operator.resolve(counter.refund.id, 'retry')).toContain('may still be paid')
    expect((await states(counter)).length).toBe(1)
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({ reserved: 1500n })
    expect(await operator.caseState(caseId)).toBe('open')
    // The operator has the vendor's definite word: two decisions, each of them audited.
    await operator.resolve(counter.refund.id, 'refused')
    expect((await retry(counter.refund.id)).kind).toBe('retried')
    await expectSound()
  })

  test('gets a new number where it has one: the old refund ends first, in the same commit', async () => {
    const counter = await make()
    await operator.resolve(counter.refund.id, 'retry', true)
    expect(await states(counter)).toEqual(['merchant refused 1500', 'operator requested 1500'])
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({ reserved: 1500n })
    await expectSound()
  })

  test.each(ordersOf(['operator', 'vendor']))(
    'the vendor says it succeeded, an operator that it was refused: %s, then %s',
    async (...works) => {
      const counter = await make()
      const caseId = await operator.caseOf(counter.refund.id)
      const named: Readonly<Record<string, () => Promise<unknown>>> = {
        operator: () => operator.decide(caseId, 'refused'),
        vendor: () => desk.hear(refundFactsOf(counter.first, counter.refund, 'succeeded')),
      }
      const results = await lineUp(
        desk.db,
        counter.orderId,
        works.map((work) => named[work] ?? (() => Promise.reject(new Error(work)))),
      )
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      // The money is gone either way; an operator who was faster is contradicted, by a case.
      expect(await states(counter)).toEqual(['merchant succeeded 1500'])
      const isFirst = works[0] === 'operator'
      expect(await operator.caseState(caseId)).toBe(isFirst ? 'resolved' : 'open')
      const contradicted = (await desk.cases(counter.refund.id)).includes('refund_contradicted')
      expect(contradicted).toBe(isFirst)
      await expectSound()
    },
  )
})

const NEVER_PAID = ['refund_not_available', 'refund_waiting']

test.each(NEVER_PAID)('%s: cancelled; one that was sent meanwhile is not', async (kind) => {
  const counter = await desk.order(2000)
  await desk.pay(counter.first)
  for (const isSent of [false, true]) {
    const refund = await desk.refund(counter.first, 1000n)
    const { merchant_id: merchantId, id: subject } = refund
    await openCase(desk.db, { merchantId, kind, subject, evidence: {} })
    if (isSent) await desk.markSent(refund)
    const effect = await operator.resolve(refund.id, 'refused')
    expect(effect).toEqual(
      isSent
        ? `refund ${refund.id} is sent by now`
        : { refund: refund.id, amount: '1000', refund_state: 'refused' },
    )
  }
  expect(await desk.payment(counter.first.paymentId)).toMatchObject({ reserved: 1000n })
  await expectSound()
})
