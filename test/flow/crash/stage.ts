import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addMerchant } from '#db/account/merchant'
import { migrate } from '#db/migrate'
import type { ChannelAccountId, MerchantId } from '#domain/id'
import { startPointsService } from '../../emulator/points/server.ts'
import type { PointsService } from '../../emulator/points/server.ts'
import { makeWechatPayKeys } from '../../emulator/wechat-pay/keys.ts'
import type { WechatPayKeys } from '../../emulator/wechat-pay/keys.ts'
import { CONTROL } from '../../failpoint/control.ts'
import { restartDurableCluster, startDurableCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'
import { addWechatPay } from '../../support/platform.ts'
import type { Victim } from './nemesis.ts'
import { freeServerPort, runProgram } from './program.ts'
import type { Program } from './program.ts'
import { insertSales } from './sale.ts'
import type { Sale } from './sale.ts'

export interface StageOptions {
  readonly gatewayEntry: string
  readonly sales: readonly Sale[]
  /** Under this control file the gateway runs with failpoints. */
  readonly failpoint?: string
  readonly hasWorker?: boolean
}

/** The platform as it is deployed: processes of their own, a durable PostgreSQL, a points system. */
export interface Stage {
  readonly db: Db
  readonly databaseUrl: string
  readonly merchantId: MerchantId
  readonly accountId: ChannelAccountId
  readonly keys: WechatPayKeys
  readonly url: string
  readonly callbackUrl: string
  readonly points: PointsService
  readonly gateway: Program
  readonly worker: Program | undefined
  /** What another worker of this platform is started with. */
  readonly env: Readonly<Record<string, string>>
  /** PostgreSQL: killed with all its children, and started again in the same directory. */
  readonly postgres: Victim
  stop(): Promise<void>
}

/** The seal key of `testSealKey`, as the environment carries it. */
const SEAL_KEY = '5a'.repeat(32)
/** Nothing listens there, and nothing asks: no payment here is due for a query. */
const VENDOR_URL = 'http://127.0.0.1:9'

export async function startStage(options: StageOptions): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'pingzhang-crash-'))
  let cluster = await startDurableCluster()
  // Kept, because each watches over the directory: one that is collected takes PostgreSQL with it.
  const clusters = [cluster]
  const { url } = cluster
  await migrate(url)
  const keys = await makeWechatPayKeys()
  const points = startPointsService({ databasePath: join(directory, 'points.sqlite') })
  const db = openDatabase(url, workerDatabase, () => undefined)
  const merchantId = await addMerchant(db, 'Demo shop')
  const accountId = await addWechatPay(db, merchantId, keys, VENDOR_URL, 'WeChat Pay')
  await insertSales(db, merchantId, accountId, options.sales)
  const port = freeServerPort()
  const env = environment(url, port, points.url)
  const armed = failpointOf(options.failpoint)
  const gateway = runProgram(options.gatewayEntry, { ...env, ...armed.env }, armed.flags)
  const worker = options.hasWorker === false ? undefined : runProgram('worker/main.ts', env)
  const programs = [gateway, worker].filter((program) => program !== undefined)

  async function crashPostgres(): Promise<boolean> {
    cluster = await crash(cluster)
    clusters.push(cluster)
    return true
  }

  return {
    db,
    merchantId,
    accountId,
    keys,
    databaseUrl: url,
    url: `http://127.0.0.1:${port}`,
    callbackUrl: `http://127.0.0.1:${port}/callback/${accountId}`,
    points,
    gateway,
    worker,
    env,
    postgres: { name: 'postgres', kill: crashPostgres },
    async stop() {
      await Promise.all(programs.map((program) => program.stop()))
      await db.destroy()
      await clusters.at(-1)?.remove()
      await points.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** The others keep the URL they were started with, so it must not change. */
async function crash(cluster: TestCluster): Promise<TestCluster> {
  await cluster.kill()
  const restarted = await restartDurableCluster(cluster)
  if (restarted.url !== cluster.url) throw new Error('PostgreSQL came back under another URL')
  return restarted
}

const failpointOf = (control: string | undefined) =>
  control === undefined
    ? { env: {}, flags: [] }
    : { env: { [CONTROL]: control, PGAPPNAME: 'gateway' }, flags: ['--conditions=test'] }

const environment = (url: string, port: number, pointsUrl: string) => ({
  DATABASE_URL: url,
  PINGZHANG_SEAL_KEY: SEAL_KEY,
  PINGZHANG_PUBLIC_URL: `http://127.0.0.1:${port}`,
  PINGZHANG_PORT: String(port),
  PINGZHANG_LOCAL_HOSTS: `127.0.0.1:${port},${new URL(VENDOR_URL).host}`,
  PINGZHANG_POINTS_URL: pointsUrl,
  PINGZHANG_RETRY_S: '1',
  PINGZHANG_COMPENSATION_S: '2',
  PINGZHANG_QUERY_S: '3600',
  PINGZHANG_SWEEP: '* * * * * *',
})
