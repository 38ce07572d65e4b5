import { afterAll, beforeAll, expect, test } from 'bun:test'
import { z } from 'zod'
import { openDesk } from '../db/desk.ts'
import type { Desk } from '../db/desk.ts'
import { openOperator, refundThatIs } from '../db/operator.ts'
import type { Operator } from '../db/operator.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { runCommand } from './run.ts'
import type { Result } from './run.ts'

const TIMEOUT_MS = 60_000
const REASON = ['--reason', 'balance is filled up']

let database: TestDatabase
let desk: Desk
let operator: Operator

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  operator = openOperator(desk)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
}, TIMEOUT_MS)

const run = (...words: string[]): Promise<Result> =>
  runCommand({ DATABASE_URL: database.url }, words)

const retried = z.object({ refund: z.string(), retried_as: z.string(), amount: z.number() })

test(
  'refund retry sends a refused refund again under a new number, once, and resolves its case',
  async () => {
    const { refund, first } = await refundThatIs(desk, 'refused')
    const caseId = await operator.caseOf(refund.id)
    const words = ['refund', 'retry', refund.id, '--as', 'ann', ...REASON]
    const { code, out } = await run(...words, '--json')
    expect(code).toBe(0)
    const again = retried.parse(JSON.parse(out))
    expect(again).toMatchObject({ refund: refund.id, amount: 900 })
    expect(await desk.jobs('refund-submit', again.retried_as)).toBe(1)
    expect(await operator.caseState(caseId)).toBe('resolved')
    expect((await run('case', 'show', caseId)).out).toContain(
      'refund.retry by ann: balance is filled up',
    )
    expectRefused(await run(...words), /tried again before, as r/)
    expect((await desk.refunds(first.paymentId)).length).toBe(2)
  },
  TIMEOUT_MS,
)

test(
  'refund retry refuses a refund that is not refused, or not there',
  async () => {
    const { refund } = await refundThatIs(desk, 'abnormal')
    expectRefused(await run('refund', 'retry', refund.id, ...REASON), /is abnormal/)
    expectRefused(await run('refund', 'retry', `r${'0'.repeat(25)}`, ...REASON), /no refund/)
    expectRefused(await run('refund', 'retry', 'x', ...REASON), /no refund id/)
  },
  TIMEOUT_MS,
)

function expectRefused({ code, out, err }: Result, message: RegExp): void {
  expect(err).toMatch(message)
  expect(err).toMatch(/^error: [^\n]+\n$/)
  expect({ code, out }).toEqual({ code: 2, out: '' })
}
