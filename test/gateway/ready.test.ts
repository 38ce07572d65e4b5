import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase, workerDatabase } from '#db/database'
import { migrate } from '#db/migrate'
import { healthRoute } from '#gateway/route/health'
import { restartDurableCluster, startDurableCluster } from '../support/cluster.ts'
import type { TestCluster } from '../support/cluster.ts'
import { keepLog } from './logged.ts'

const TIMEOUT_MS = 60_000

let cluster: TestCluster

beforeAll(async () => {
  cluster = await startDurableCluster()
}, TIMEOUT_MS)

afterAll(async () => {
  await cluster.remove()
}, TIMEOUT_MS)

/** What a gateway over this database says about itself. */
async function ask(): Promise<unknown> {
  const { log } = keepLog()
  const db = openDatabase(cluster.url, workerDatabase, () => undefined)
  try {
    const answers = ['/healthz', '/readyz'].map((path) => healthRoute({ db, log }).request(path))
    return (await Promise.all(answers)).map(({ status }) => status)
  } finally {
    await db.destroy()
  }
}

test(
  'a gateway is ready when its database can commit: not without tables, and not over a standby',
  async () => {
    expect(await ask()).toEqual([200, 503])
    await migrate(cluster.url)
    expect(await ask()).toEqual([200, 200])
    await cluster.stop()
    // A standby answers every read, and refuses every write.
    const [own] = readdirSync(cluster.dataDirectory).filter((name) => /^postgres-\d+$/.test(name))
    writeFileSync(join(cluster.dataDirectory, own ?? '', 'standby.signal'), '')
    cluster = await restartDurableCluster(cluster)
    expect(await ask()).toEqual([200, 503])
  },
  TIMEOUT_MS,
)
