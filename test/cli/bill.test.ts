import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { z } from 'zod'
import { addDays, businessDateOf } from '#domain/business-day'
import { newChannelAccountId } from '#domain/id'
import { runBillDownload } from '#worker/job/bill-download'
import { runReconcile } from '#worker/job/reconcile'
import { openBillScene } from '../flow/bill-scene.ts'
import type { BillScene } from '../flow/bill-scene.ts'
import { MCHID } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { runCommand } from './run.ts'
import type { Result } from './run.ts'

// Bills and differences by command. The day is past, because a command reads the clock of this machine.

const TIMEOUT_MS = 60_000
const DAYS = -2
const directory = mkdtempSync(join(tmpdir(), 'pingzhang-cli-bill-'))

let database: TestDatabase
let scene: BillScene
let wrong = ''

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url, DAYS)
  await scene.buyPaid()
  wrong = await scene.buyPaid()
  scene.emulator.setKnobs({ billWrongAmount: { [wrong]: -1 } })
}, TIMEOUT_MS)

afterAll(async () => {
  await scene.stop()
  await database.drop()
  rmSync(directory, { recursive: true, force: true })
})

const run = (...words: string[]): Promise<Result> =>
  runCommand(
    {
      DATABASE_URL: database.url,
      PINGZHANG_SEAL_KEY: '5a'.repeat(32),
      PINGZHANG_LOCAL_HOSTS: scene.localHosts.join(','),
    },
    words,
  )

async function runJson<T>(shape: z.ZodType<T>, ...words: string[]): Promise<T> {
  const { code, out, err } = await run(...words, '--json')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  return shape.parse(JSON.parse(out))
}

function expectRefused({ code, out, err }: Result, message: RegExp): void {
  expect(err).toMatch(message)
  expect({ code, out }).toEqual({ code: 2, out: '' })
}

/** A file as the vendor gives it. */
function fileOf(text: string | Uint8Array, name: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const wish = () => ({ mchid: MCHID, date: scene.businessDate })
const day = () => ['--account', scene.accountId, '--date', scene.businessDate]

const countOf = async (table: 'bill' | 'bill_file' | 'bill_line'): Promise<number> =>
  (await scene.db.selectFrom(table).select('merchant_id').execute()).length

const loaded = z.object({ bill: z.string(), lines: z.number(), repeat: z.boolean() })

describe('bill load', () => {
  test(
    'refuses a file that is not whole, keeps it, and loads nothing of it',
    async () => {
      const packed = gzipSync(scene.emulator.writeBill('trade', wish()))
      const path = fileOf(packed.subarray(0, packed.length / 2), 'cut.gz')
      expectRefused(
        await run('bill', 'load', ...day(), '--file', path),
        /nothing of the file is used/,
      )
      expect(await countOf('bill')).toBe(0)
      expect(await countOf('bill_line')).toBe(0)
      const kept = await scene.db.selectFrom('bill_file').select(['broken', 'bytes']).execute()
      expect(kept).toHaveLength(1)
      expect(kept[0]?.broken).toContain('gzip')
    },
    TIMEOUT_MS,
  )

  test(
    "takes the vendor's file the way of a fetched one, and keeps its bytes once",
    async () => {
      const path = fileOf(gzipSync(scene.emulator.writeBill('trade', wish())), 'trade.gz')
      const words = ['bill', 'load', ...day(), '--file', path, '--as', 'ann']
      expect(await runJson(loaded, ...words)).toMatchObject({ lines: 2, repeat: false })
      const { id: runId } = await scene.run()
      expect(await scene.run()).toMatchObject({ state: 'loaded', note: '2 lines, brought by ann' })
      await runReconcile(scene.deps, { merchantId: scene.merchantId, runId })
      expect(await scene.run()).toMatchObject({ state: 'done' })
      expect(await scene.found()).toEqual([`amount_differs ${wrong} open`])
      // The same bytes again: no second bill, no second file, but the day is matched anew.
      expect(await runJson(loaded, ...words)).toMatchObject({ lines: 2, repeat: true })
      expect(await countOf('bill')).toBe(1)
      expect(await countOf('bill_file')).toBe(2)
      await runReconcile(scene.deps, { merchantId: scene.merchantId, runId })
      const audit = await scene.db.selectFrom('audit').select(['action', 'actor']).execute()
      expect(audit).toEqual([
        { action: 'bill.load', actor: 'ann' },
        { action: 'bill.load', actor: 'ann' },
      ])
    },
    TIMEOUT_MS,
  )

  test(
    'takes the fund bill beside it, and a text that a person has unpacked',
    async () => {
      const path = fileOf(scene.emulator.writeBill('fund', wish()), 'fund.csv')
      const words = ['bill', 'load', ...day(), '--file', path, '--kind', 'fund']
      expect(await runJson(loaded, ...words)).toMatchObject({ lines: 4, repeat: false })
      // It has a run of its own, and is compared with the day that was matched; each movement is there.
      const { id: runId, state } = await scene.run(scene.businessDate, 'fund')
      expect(state).toBe('loaded')
      await runReconcile(scene.deps, { merchantId: scene.merchantId, runId })
      expect(await scene.run(scene.businessDate, 'fund')).toMatchObject({
        state: 'done',
        note: '0 differences from the transaction bill',
      })
      expect(await scene.found()).toEqual([`amount_differs ${wrong} open`])
    },
    TIMEOUT_MS,
  )

  test(
    'refuses a day that is not over, an account that is not there, a file that is not there',
    async () => {
      const path = fileOf('x', 'x')
      // Not today: it may be over before the command looks.
      const tomorrow = addDays(businessDateOf(new Date(), 24), 1)
      const account = ['--account', scene.accountId]
      for (const date of [tomorrow, '2026-02-30', 'yesterday']) {
        const words = ['bill', 'load', ...account, '--date', date, '--file', path]
        expectRefused(await run(...words), /--date takes a day before/)
      }
      const nobody = ['--account', newChannelAccountId(), '--date', scene.businessDate]
      expectRefused(await run('bill', 'load', ...nobody, '--file', path), /no account/)
      expectRefused(
        await run('bill', 'load', ...day(), '--file', `${path}-`),
        /--file takes a file/,
      )
    },
    TIMEOUT_MS,
  )
})

describe('bill fetch', () => {
  test(
    'lets a worker fetch the fund bill of a day again, and nothing else of the day',
    async () => {
      const [bill, fund] = [await scene.run(), await scene.run(scene.businessDate, 'fund')]
      const shape = z.object({ run: z.string(), state: z.string() })
      const wanted = await runJson(shape, 'bill', 'fetch', ...day(), '--kind', 'fund')
      expect(wanted).toEqual({ run: fund.id, state: 'waiting' })
      expect(await scene.run()).toEqual(bill)
      const job = { merchantId: scene.merchantId, runId: fund.id }
      scene.passToDay(1, 11)
      await runBillDownload(scene.deps, job)
      await runReconcile(scene.deps, job)
      expect((await scene.run(scene.businessDate, 'fund')).state).toBe('done')
    },
    TIMEOUT_MS,
  )

  test(
    'lets a worker fetch a day again; a job that was at work on it has lost its word',
    async () => {
      const before = await scene.run()
      const shape = z.object({ run: z.string(), state: z.string() })
      expect(await runJson(shape, 'bill', 'fetch', ...day(), '--as', 'ann')).toEqual({
        run: before.id,
        state: 'waiting',
      })
      const after = await scene.run()
      expect(after).toMatchObject({ state: 'waiting', attempts: before.attempts + 1n })
      scene.passToDay(1, 11)
      const job = { merchantId: scene.merchantId, runId: after.id }
      await runBillDownload(scene.deps, job)
      expect((await scene.run()).note).toContain('the same bytes as before')
      expectRefused(await run('bill', 'fetch', ...day()), /waits to be matched/)
      await runReconcile(scene.deps, job)
      const listed = z.object({
        runs: z.array(z.looseObject({ run: z.string(), state: z.string() })),
      })
      const { runs } = await runJson(listed, 'bill', 'list')
      // The fund bill and the points of the day have runs of their own.
      expect(runs).toMatchObject([
        { task: 'fund', state: 'done' },
        { task: 'points', state: 'loaded' },
        { task: 'bill', run: after.id, state: 'done', business_date: scene.businessDate },
      ])
      expect((await run('bill', 'list', '--state', 'failed')).out).toBe('no days\n')
    },
    TIMEOUT_MS,
  )
})

describe('discrepancy', () => {
  const shown = z.looseObject({
    discrepancy: z.string(),
    version: z.number(),
    state: z.string(),
    allowed_decisions: z.array(z.string()),
  })

  test(
    'list, show and resolve: on the version that was read, with a reason, audited',
    async () => {
      const list = z.object({ discrepancies: z.array(shown), has_more: z.boolean() })
      const { discrepancies } = await runJson(list, 'discrepancy', 'list')
      const [found] = discrepancies
      expect(found).toMatchObject({
        kind: 'amount_differs',
        subject: wrong,
        our_amount: 1999,
        their_amount: 1998,
      })
      const id = found?.discrepancy ?? ''
      const story = await runJson(shown, 'discrepancy', 'show', id)
      expect(story.allowed_decisions).toContain('adjust')
      expect((await run('discrepancy', 'show', id)).out).toContain('ours 1999 fen, theirs 1998 fen')
      const words = [
        'discrepancy',
        'resolve',
        id,
        '--decision',
        'adjust',
        '--as',
        'ann',
        '--reason',
        'as agreed',
      ]
      expectRefused(await run(...words, '--version', String(story.version + 1)), /is version/)
      expectRefused(await run(...words, '--version', 'x'), /--version takes/)
      expect(await runJson(shown, ...words, '--version', String(story.version))).toMatchObject({
        state: 'resolved',
        decision: 'adjust',
        decided_by: 'ann',
      })
      const { received_amount: received } = await scene.db
        .selectFrom('payment')
        .select('received_amount')
        .where('state', '=', 'paid')
        .where('received_amount', 'is not', null)
        .executeTakeFirstOrThrow()
      expect(received).toBe(1998n)
      const [last] = await scene.db
        .selectFrom('audit')
        .select(['action', 'reason'])
        .orderBy('place', 'desc')
        .limit(1)
        .execute()
      expect(last).toEqual({ action: 'discrepancy.adjust', reason: 'as agreed' })
      expectRefused(await run(...words, '--version', String(story.version + 1)), /does not fit/)
      await scene.noViolations()
    },
    TIMEOUT_MS,
  )

  test(
    'says what is no discrepancy and what is none of ours',
    async () => {
      expectRefused(await run('discrepancy', 'show', 'x'), /no discrepancy id/)
      expectRefused(
        await run('discrepancy', 'show', `f${'0'.repeat(25)}`),
        /there is no discrepancy/,
      )
      expect((await run('discrepancy', 'list', '--kind', 'duplicate')).out).toBe(
        'no discrepancies\n',
      )
    },
    TIMEOUT_MS,
  )
})
