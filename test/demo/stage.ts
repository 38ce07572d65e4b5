import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDatabase, workerDatabase } from '#db/database'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { migrate } from '#db/migrate'
import { openPostgres } from '#db/postgres'
import { assert } from '#domain/assert'
import type { ChannelAccountId } from '#domain/id'
import { runProcess } from '#cli/process'
import { waitUntilReady } from '#cli/ready'
import { startMerchant } from '../emulator/merchant/server.ts'
import type { Merchant } from '../emulator/merchant/server.ts'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { freePort } from '../support/port.ts'
import { createShop } from '../support/shop.ts'
import { TILLS, addTill } from '../support/till.ts'
import type { Till } from '../support/till.ts'
import { CLOCK_FILE, clockOf, moveClock } from './clock.ts'
import type { Narrator } from './narrator.ts'

/** An account of the shop with the vendor behind it. */
export interface Counter {
  readonly till: Till
  readonly accountId: ChannelAccountId
}

/** The platform as it is deployed, and the world around it. */
export interface Stage {
  readonly shop: ReturnType<typeof createShop>
  readonly url: string
  readonly apiKey: string
  readonly counters: ReadonlyMap<string, Counter>
  readonly points: PointsService
  /** The shop's own system, which listens for events. */
  readonly merchant: Merchant
  /** The environment of gateway, worker and commands. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** The time of everybody here. */
  clock(): Date
  /** Moves everybody's clock on, to this moment. */
  passTo(moment: Date): void
  stop(): Promise<void>
}

const CLOCK = fileURLToPath(new URL('clock-preload.ts', import.meta.url))

/** The seal key of the demo alone. */
const SEAL_KEY = '5a'.repeat(32)

/**
 * Starts PostgreSQL, the vendors and the points system here, the gateway and the worker as processes of
 * their own. Delays that are minutes in production are seconds here.
 */
export async function startStage(say: Narrator): Promise<Stage> {
  // Ends what it holds, the last first, also when the next part does not start.
  await using opened = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'pingzhang-demo-'))
  opened.defer(() => rmSync(directory, { recursive: true, force: true }))
  const binaries = { PINGZHANG_PG_BIN: process.env['PINGZHANG_PG_BIN'] }
  const postgres = await openPostgres(binaries, { dataDirectory: join(directory, 'postgres') })
  opened.defer(() => postgres.stop())
  say.step('PostgreSQL is up, in a directory of its own that goes away at the end')
  await migrate(postgres.url)
  say.step('tables and queues are made')
  const clockFile = join(directory, 'clock')
  const passTo = (moment: Date): void => moveClock(clockFile, moment.getTime() - Date.now())
  moveClock(clockFile, 0)
  const clock = () => clockOf(clockFile).now()
  const points = startPointsService({ databasePath: join(directory, 'points.sqlite'), clock })
  opened.defer(() => points.stop())
  const merchant = await startMerchant({ clock })
  opened.defer(() => merchant.stop())
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const { apiKey, counters } = await openShop(postgres.url, { url, clock }, opened)
  say.step(`the shop has accounts at ${[...counters.keys()].join(', ')} (emulators)`)
  const vendors = [...counters.values()].map(({ till }) => till.vendor)
  const hosts = [
    `127.0.0.1:${port}`,
    merchant.host,
    ...vendors.map((vendor) => new URL(vendor.url).host),
  ]
  const env = {
    ...environment(postgres.url, points.url, hosts),
    PINGZHANG_PUBLIC_URL: url,
    PINGZHANG_PORT: String(port),
    [CLOCK_FILE]: clockFile,
  }
  await startProcesses(env, opened)
  say.step('gateway and worker are up, as processes of their own')
  const all = opened.move()
  return {
    shop: createShop({ gateway: { url }, apiKey }),
    url,
    apiKey,
    counters,
    points,
    merchant,
    env,
    clock,
    passTo,
    stop: () => all.disposeAsync(),
  }
}

/** A merchant that gives late and double money back, with an account at every vendor. */
async function openShop(
  databaseUrl: string,
  { url, clock }: { readonly url: string; readonly clock: () => Date },
  opened: AsyncDisposableStack,
) {
  const db = openDatabase(databaseUrl, workerDatabase, () => undefined)
  try {
    const merchantId = await addMerchant(db, 'Demo shop')
    await db.updateTable('merchant').set({ late_policy: 'refund' }).execute()
    const apiKey = (await createApiKey(db, merchantId, 'test')).reveal()
    const counters = new Map<string, Counter>()
    for (const [name, openTills] of Object.entries(TILLS)) {
      const [till] = await openTills([1], { clock })
      assert(till !== undefined, `expected a till at ${name}`)
      opened.defer(() => till.vendor.stop())
      const accountId = await addTill(db, merchantId, till)
      till.hearAt?.(`${url}/callback/${accountId}`)
      counters.set(name, { till, accountId })
    }
    return { apiKey, counters }
  } finally {
    await db.destroy()
  }
}

const environment = (databaseUrl: string, pointsUrl: string, localHosts: readonly string[]) => ({
  PATH: process.env['PATH'],
  DATABASE_URL: databaseUrl,
  PINGZHANG_SEAL_KEY: SEAL_KEY,
  PINGZHANG_LOCAL_HOSTS: localHosts.join(','),
  PINGZHANG_POINTS_URL: pointsUrl,
  PINGZHANG_COMPENSATION_S: '3',
  PINGZHANG_RETRY_S: '1',
  PINGZHANG_QUERY_S: '5',
  PINGZHANG_SWEEP: '* * * * * *',
  PINGZHANG_BILLS: '* * * * * *',
})

/** Their logs are for whoever looks for trouble: shown with PINGZHANG_DEMO_LOG. */
async function startProcesses(
  env: Readonly<Record<string, string | undefined>>,
  opened: AsyncDisposableStack,
): Promise<void> {
  const isShown = process.env['PINGZHANG_DEMO_LOG'] !== undefined
  const quiet = isShown ? {} : { PINGZHANG_LOG_LEVEL: 'fatal' }
  const processes = (['gateway', 'worker'] as const).map((name) =>
    runProcess(name, { ...env, ...quiet }, () => undefined, [CLOCK]),
  )
  opened.defer(async () => {
    await Promise.all(processes.map((child) => child.stop()))
  })
  const ended = Promise.race(processes.map((child) => child.givenUp))
  const gateway = await waitUntilReady(env, ended)
  if (gateway === undefined) throw new Error(await ended)
  for (const child of processes) child.keep()
}
