import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { userInfo } from 'node:os'
import { sql } from 'kysely'
import { z } from 'zod'
import { addMerchant } from '#db/account/merchant'
import type { CaseId } from '#domain/id'
import { openDesk } from '../db/desk.ts'
import type { Counter, Desk } from '../db/desk.ts'
import { openOperator, refundThatIs } from '../db/operator.ts'
import type { Operator } from '../db/operator.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { runCommand } from './run.ts'
import type { Result } from './run.ts'

const TIMEOUT_MS = 60_000
const REASON = ['--reason', 'as the customer said']

let database: TestDatabase
let desk: Desk
let operator: Operator
let shop = ''
/** Another merchant with one case. */
const OTHER = 'Tea house'

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  operator = openOperator(desk)
  shop = desk.merchantId
  const other = await addMerchant(desk.db, OTHER)
  await sql`INSERT INTO open_case (merchant_id, id, kind, subject, evidence)
            VALUES (${other}, ${`c${'0'.repeat(25)}`}, 'late_payment', 'theirs', '{}')`.execute(
    desk.db,
  )
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
}, TIMEOUT_MS)

const runWith = (env: Readonly<Record<string, string>>, ...words: string[]): Promise<Result> =>
  runCommand({ DATABASE_URL: database.url, ...env }, words)

const run = (...words: string[]): Promise<Result> => runWith({}, ...words)

async function runJson<T>(schema: z.ZodType<T>, ...words: string[]): Promise<T> {
  const { code, out, err } = await run(...words, '--json')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out.trimEnd().split('\n').length).toBe(1)
  return schema.parse(JSON.parse(out))
}

function expectRefused(result: Result, code: number, message: RegExp): void {
  expect(result.err).toMatch(message)
  expect(result.err).toMatch(/^error: [^\n]+\n$/)
  expect({ code: result.code, out: result.out }).toEqual({ code, out: '' })
}

const listed = z.object({
  has_more: z.boolean(),
  cases: z.array(
    z.object({
      case: z.string(),
      kind: z.string(),
      subject: z.string(),
      state: z.string(),
      merchant: z.string(),
      merchant_name: z.string(),
    }),
  ),
})

const shown = z.object({
  allowed_decisions: z.array(z.string()),
  decisions: z.array(z.object({ actor: z.string(), action: z.string(), reason: z.string() })),
  evidence: z.record(z.string(), z.unknown()),
  payment: z.string().nullable(),
  timeline: z.array(
    z.object({ at: z.iso.datetime(), kind: z.string(), content: z.looseObject({}) }),
  ),
})

const resolved = z.object({
  case: z.string(),
  decision: z.string(),
  state: z.string(),
  actor: z.string(),
  effect: z.record(z.string(), z.string()),
})

/** A wrong amount with its open case. */
async function wrongAmount(): Promise<Counter & { readonly caseId: CaseId }> {
  const counter = await desk.order(2000)
  await desk.pay(counter.first, { amountMinor: 1500n })
  return { ...counter, caseId: await operator.caseOf(counter.first.paymentId) }
}

const countDecisions = async (caseId: string): Promise<number> =>
  (await desk.db.selectFrom('audit').select('id').where('subject', '=', caseId).execute()).length

describe('case list', () => {
  test(
    'shows open cases of all merchants, filtered on demand',
    async () => {
      const { caseId } = await wrongAmount()
      const { cases } = await runJson(listed, 'case', 'list')
      expect(cases.map(({ merchant_name: name }) => name)).toContain(OTHER)
      expect(cases.find((item) => item.case === caseId)).toMatchObject({
        kind: 'amount_differs',
        state: 'open',
        merchant: shop,
      })
      const theirs = await runJson(listed, 'case', 'list', '--merchant', OTHER)
      expect(theirs.cases.map(({ subject }) => subject)).toEqual(['theirs'])
      const wrong = await runJson(listed, 'case', 'list', '--kind', 'amount_differs')
      expect(new Set(wrong.cases.map(({ kind }) => kind))).toEqual(new Set(['amount_differs']))
      const first = await runJson(listed, 'case', 'list', '--limit', '1', '--state', 'all')
      expect([first.cases.length, first.has_more]).toEqual([1, true])
      expect(
        (await runJson(listed, 'case', 'list', '--state', 'resolved', '--merchant', OTHER)).cases,
      ).toEqual([])
      const { out } = await run('case', 'list', '--merchant', shop)
      expect(out).toContain(`${caseId}  open  amount_differs`)
    },
    TIMEOUT_MS,
  )

  test(
    'refuses what it does not know',
    async () => {
      expectRefused(await run('case', 'list', '--merchant', 'nobody'), 2, /no merchant/)
      expectRefused(await run('case', 'list', '--state', 'held'), 2, /Allowed choices/)
      expectRefused(await run('case', 'list', '--limit', '0'), 2, /--limit/)
    },
    TIMEOUT_MS,
  )
})

describe('case show', () => {
  test(
    'tells both sides: the evidence, and the whole story of the payment',
    async () => {
      const { caseId, first } = await wrongAmount()
      const found = await runJson(shown, 'case', 'show', caseId)
      expect(found.payment).toBe(first.paymentId)
      expect(found.evidence).toMatchObject({ vendor_amount: '1500' })
      expect(found.allowed_decisions).toEqual(['keep_open', 'write_off', 'accept', 'refund'])
      expect(found.timeline.map(({ content }) => content['to'])).toContain('pending')
      const { out } = await run('case', 'show', caseId)
      expect(out).toContain('keep_open | write_off | accept | refund')
      expect(out).toContain(`payment ${first.paymentId}: pending`)
    },
    TIMEOUT_MS,
  )

  test(
    'finds the payment of a refund, and shows a case that is about none',
    async () => {
      const { refund, first } = await refundThatIs(desk, 'refused')
      const caseId = await operator.caseOf(refund.id)
      expect((await runJson(shown, 'case', 'show', caseId)).payment).toBe(first.paymentId)
      const none = await runJson(shown, 'case', 'show', `c${'0'.repeat(25)}`)
      expect(none).toMatchObject({ payment: null, timeline: [] })
      expectRefused(await run('case', 'show', `c${'1'.repeat(25)}`), 2, /no case/)
      expectRefused(await run('case', 'show', 'x'), 2, /no case id/)
    },
    TIMEOUT_MS,
  )
})

describe('case resolve', () => {
  test(
    'carries a decision out, says what came of it, and audits who and why',
    async () => {
      const { caseId, first, orderId } = await wrongAmount()
      const words = ['case', 'resolve', caseId, '--decision', 'accept', '--as', 'Ann 安', ...REASON]
      expect(await runJson(resolved, ...words)).toEqual({
        case: caseId,
        decision: 'accept',
        state: 'resolved',
        actor: 'Ann 安',
        effect: { payment: first.paymentId, received: '1500' },
      })
      expect(await desk.orderState(orderId)).toBe('paid')
      const { decisions, allowed_decisions: allowed } = await runJson(shown, 'case', 'show', caseId)
      expect(decisions).toMatchObject([
        { actor: 'Ann 安', action: 'case.accept', reason: 'as the customer said' },
      ])
      expect(allowed).toEqual([])
      expectRefused(await run(...words), 2, /resolved already/)
    },
    TIMEOUT_MS,
  )

  test(
    'is made by the user of this machine unless another name is given',
    async () => {
      const { caseId } = await wrongAmount()
      const kept = await runJson(
        resolved,
        ...['case', 'resolve', caseId, '--decision', 'keep_open', ...REASON],
      )
      expect(kept).toMatchObject({ actor: userInfo().username, state: 'open', effect: {} })
      for (const name of ['', ' ', 'policy', 'x'.repeat(65), 'a\nb']) {
        const result = await run(
          ...['case', 'resolve', caseId, '--decision', 'keep_open', '--as', name, ...REASON],
        )
        expectRefused(result, 2, /--as/)
      }
      expect(await countDecisions(caseId)).toBe(1)
    },
    TIMEOUT_MS,
  )

  test(
    'refuses what the kind does not allow, and a decision without a reason',
    async () => {
      const { caseId } = await wrongAmount()
      const words = ['case', 'resolve', caseId, '--decision']
      expectRefused(
        await run(...words, 'revive', ...REASON),
        2,
        /amount_differs allows: keep_open, write_off, accept, refund/,
      )
      expectRefused(await run(...words, 'pay', ...REASON), 2, /Allowed choices/)
      expectRefused(await run(...words, 'accept'), 2, /--reason/)
      expectRefused(await run(...words, 'accept', '--reason', ' '), 2, /reason is empty/)
      const missing = ['case', 'resolve', `c${'1'.repeat(25)}`, '--decision', 'accept', ...REASON]
      expectRefused(await run(...missing), 2, /no case/)
    },
    TIMEOUT_MS,
  )

  test(
    'asks the strategy of the account whether an abnormal refund may get a new number',
    async () => {
      const { refund, first } = await refundThatIs(desk, 'abnormal')
      const caseId = await operator.caseOf(refund.id)
      const words = ['case', 'resolve', caseId, '--decision', 'retry', ...REASON]
      // Its keys are sealed: without the seal key nobody knows.
      expectRefused(await run(...words), 3, /PINGZHANG_SEAL_KEY/)
      const env = {
        PINGZHANG_SEAL_KEY: '5a'.repeat(32),
        PINGZHANG_LOCAL_HOSTS: '127.0.0.1:9',
      }
      const result = await runWith(env, ...words)
      expect({ code: result.code, err: result.err }).toEqual({ code: 0, err: '' })
      const refunds = await desk.refunds(first.paymentId)
      expect(refunds.map(({ state }) => state)).toEqual(['refused', 'requested'])
    },
    TIMEOUT_MS,
  )

  test(
    'says that rows are in use, with exit code 3, when they stay locked',
    async () => {
      const { caseId, orderId } = await wrongAmount()
      await desk.db.transaction().execute(async (trx) => {
        await sql`SELECT 1 FROM customer_order WHERE id = ${orderId} FOR UPDATE`.execute(trx)
        const words = ['case', 'resolve', caseId, '--decision', 'accept', ...REASON]
        expectRefused(await run(...words), 3, /repeat the command/)
      })
      expect(await operator.caseState(caseId)).toBe('open')
    },
    TIMEOUT_MS,
  )
})
