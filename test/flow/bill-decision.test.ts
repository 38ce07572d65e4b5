import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { decideDiscrepancy } from '#db/bill/decide-discrepancy'
import type { DiscrepancyOutcome } from '#db/bill/decide-discrepancy'
import type { DiscrepancyDecision } from '#domain/discrepancy'
import { runDiscrepancyResolve } from '#worker/job/discrepancy-resolve'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'

// What people decide about a difference, carried out by jobs, once.

const TIMEOUT_MS = 30_000
const PEOPLE = ['ann', 'bob', 'cyn', 'dan', 'eve']

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

/** Everybody decides the same, at once, on the version that all have read. */
async function decideTogether(
  decision: DiscrepancyDecision,
): Promise<readonly DiscrepancyOutcome[]> {
  const { id, version } = await scene.findOnly()
  return Promise.all(
    PEOPLE.map((actor) =>
      decideDiscrepancy(scene.db, scene.deps, { id, decision, actor, version, reason: 'agreed' }),
    ),
  )
}

const kindsOf = (outcomes: readonly DiscrepancyOutcome[]): readonly string[] =>
  outcomes.map(({ kind }) => kind).toSorted()

const jobsOf = async (queue: string): Promise<number> => {
  const { rows } = await sql`SELECT 1 FROM pgboss.job WHERE name = ${queue}`.execute(scene.db)
  return rows.length
}

/** What people decided; what the machine mended has entries of its own. */
const audited = async (): Promise<readonly string[]> => {
  const rows = await scene.db
    .selectFrom('audit')
    .select('action')
    .where('action', 'like', 'discrepancy.%')
    .execute()
  return rows.map(({ action }) => action)
}

const ONCE = ['changed', 'changed', 'changed', 'changed', 'decided']

describe('of five people who decide at once', () => {
  test('one gives money back: one refund, one job, one audit entry, one refund at the vendor', async () => {
    const paid = await scene.buyPaid()
    scene.emulator.setKnobs({ billWrongAmount: { [paid]: -999 } })
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(kindsOf(await decideTogether('refund'))).toEqual(ONCE)
    const [refund, ...others] = await scene.db.selectFrom('refund').selectAll().execute()
    expect(others).toEqual([])
    expect(refund).toMatchObject({ origin: 'operator', amount: 1000n, state: 'requested' })
    expect(await jobsOf('refund-submit')).toBe(1)
    expect(await audited()).toEqual(['discrepancy.refund'])
    for (let run = 0; run < 2 && refund !== undefined; run += 1) {
      await runRefundSubmit(scene.deps, { merchantId: scene.merchantId, refundId: refund.id })
    }
    expect(scene.emulator.refundsOf(paid)).toHaveLength(1)
    await scene.noViolations()
  })

  test('one recovers: the job asks the vendor, and its twin changes nothing', async () => {
    const unheard = await scene.payUnheard()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    // The vendor is away for longer than a machine waits.
    scene.interceptWith(() => Promise.resolve(new Response('', { status: 502 })))
    scene.passToDay(2, 12)
    await scene.repair()
    expect((await scene.findOnly()).state).toBe('open')
    scene.interceptWith(undefined)
    expect(kindsOf(await decideTogether('recover'))).toEqual(ONCE)
    expect(await jobsOf('discrepancy-resolve')).toBe(1)
    const { id: discrepancyId } = await scene.findOnly()
    const job = { merchantId: scene.merchantId, discrepancyId }
    await Promise.all([1, 2, 3].map(() => runDiscrepancyResolve(scene.deps, job)))
    expect((await scene.payment(unheard)).state).toBe('paid')
    expect(await scene.findOnly()).toMatchObject({ state: 'resolved', decision: 'repaired' })
    const grants = await scene.db.selectFrom('points_grant').select('kind').execute()
    expect(grants).toEqual([{ kind: 'grant' }])
    expect(await audited()).toEqual(['discrepancy.recover'])
    await scene.noViolations()
  })

  test.each(['write_off', 'keep_open', 'adjust'] as const)(
    'one says %s, and it stands once',
    async (decision) => {
      const paid = await scene.buyPaid()
      scene.emulator.setKnobs({ billWrongAmount: { [paid]: -1 } })
      scene.passToDay(1, 11)
      await scene.fetchDay()
      expect(kindsOf(await decideTogether(decision))).toEqual(ONCE)
      expect(await audited()).toEqual([`discrepancy.${decision}`])
      expect((await scene.findOnly()).decision).toBe(decision)
    },
  )
})

test('a decision that cannot be carried out leaves everything as it was, without an entry', async () => {
  const paid = await scene.buyPaid()
  await scene.giveBack(paid, 1999)
  scene.emulator.setKnobs({ billWrongAmount: { [paid]: -1 } })
  scene.passToDay(1, 11)
  await scene.fetchDay()
  const row = await scene.findOnly()
  for (const decision of ['refund', 'adjust'] as const) {
    expect(kindsOf(await decideTogether(decision))).toEqual(PEOPLE.map(() => 'impossible'))
  }
  expect(await scene.findOnly()).toEqual(row)
  expect(await audited()).toEqual([])
})
