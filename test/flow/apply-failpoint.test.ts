import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyNotifications } from '#db/notification/apply-notification'
import { jobsOf } from '#db/job'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { factsOf, sell, startBatch } from './batch.ts'
import type { Batch } from './batch.ts'
import { applyBroken } from './failpoint/broken-apply.ts'
import { pointsOf } from './failpoint/point.ts'

const TIMEOUT_MS = 30_000
const directory = mkdtempSync(join(tmpdir(), 'pingzhang-apply-'))
const control = join(directory, 'control')

let database: TestDatabase
let batch: Batch
let paid = 0

beforeAll(async () => {
  database = await cloneDatabase()
  batch = await startBatch(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await batch.stop()
  rmSync(directory, { recursive: true, force: true })
  await database.drop()
}, TIMEOUT_MS)

describe('an error in the worker', () => {
  test.each(pointsOf('apply').map((point) => point.name))(
    'CB-29 at %s: nothing is half done, and the next run is not held up',
    async (name) => {
      const [sale] = await sell(batch, 1)
      if (sale === undefined) throw new Error('one sale was made')
      const ids = await batch.store([factsOf(sale)])
      expect(await applyBroken(batch, control, [name, 'throw'])).toBe('failed')
      const isDone = name === 'apply.commit:after'
      expect((await batch.receivedIds()).length).toBe(isDone ? 0 : 1)
      const deps = { jobs: jobsOf(batch.boss), compensationSeconds: 3600, now: () => new Date() }
      const startedAt = performance.now()
      expect((await applyNotifications(batch.db, deps, batch.merchantId, ids)).length).toBe(
        isDone ? 0 : 1,
      )
      expect(performance.now() - startedAt).toBeLessThan(1000)
      paid += 1
      expect(await batch.dispositions()).toEqual({ counted: paid })
      expect(await batch.broken()).toEqual([])
    },
    TIMEOUT_MS,
  )
})
