import pino from 'pino'
import type { PgBoss } from 'pg-boss'
import { strategies } from '#channel/strategies'
import { addAccount, setAccountFlags } from '#db/account/account'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { jobsOf } from '#db/job'
import { addMerchant, createApiKey } from '#db/account/merchant'
import type { LatePolicy } from '#db/schema'
import { assert } from '#domain/assert'
import type { ChannelAccountId, MerchantId } from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import { Secret } from '#domain/secret'
import { startGateway } from '#gateway/start'
import type { Gateway } from '#gateway/start'
import type { WorkerDeps } from '#worker/deps'
import { makeDeps } from '#worker/make-deps'
import { createPointsClient } from '#worker/points-client'
import { openQueues, stopQueues } from '#worker/queue'
import { testSealKey } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { ownDatabaseClock, setDatabaseClock } from './database-clock.ts'
import type { Town, VendorName } from './town.ts'

/** A grant that hangs costs a run this much of real time. */
const POINTS_TIMEOUT_MS = 120
export const RETRY_SECONDS = 60
/** What vendors are told. Nobody calls there: the simulation carries every callback itself. */
const PUBLIC_URL = 'https://pay.example.com'

export interface Account {
  readonly id: ChannelAccountId
  readonly name: VendorName
  /** Keys of events that the vendor holds for acknowledged. */
  readonly acknowledged: Set<string>
}

/** Our side: a database, the gateway, and the worker's jobs, which run when they are told to. */
export interface House {
  readonly town: Town
  /** All merchants of this database, one of each run. */
  readonly merchants: Set<MerchantId>
  /** For looking and for the barrier; connections of its own that no cut ends. */
  readonly db: Db
  readonly gatewayUrl: () => string
  readonly worker: () => { readonly boss: PgBoss; readonly deps: WorkerDeps }
  /** Every clock goes forward: ours, the vendor's, PostgreSQL's. */
  pass(seconds: number): Promise<void>
  /** Gateway and worker end and start again, with nothing but what is in the database. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** A new merchant in the house: what one run acts on. */
export interface World extends Omit<House, 'stop'> {
  readonly merchantId: MerchantId
  readonly main: Account
  readonly other: Account
  readonly shop: () => ReturnType<typeof createShop>
}

const silent = pino({ level: process.env['PINGZHANG_TEST_LOG'] ?? 'silent' })

export async function openHouse(town: Town): Promise<House> {
  town.clock.reset()
  const database = await cloneDatabase()
  // A failpoint's `cut` ends the connections of this database's processes by the name they share.
  process.env['DATABASE_URL'] = database.url
  const db = openDatabase(`${database.url}?application_name=looker`, workerDatabase, ignore)
  await ownDatabaseClock(db)
  let running = await start(town, database.url)
  return {
    town,
    merchants: new Set(),
    db,
    gatewayUrl: () => running.gateway.url,
    worker: () => running,
    async pass(seconds) {
      town.clock.passMs(seconds * 1000)
      await setDatabaseClock(db, town.clock.aheadMs())
    },
    async restart() {
      await running.stop()
      running = await start(town, database.url)
    },
    async stop() {
      await running.stop()
      await db.destroy()
      await database.drop()
    },
  }
}

/** Nothing of an earlier run has anything left to do here: it has ended well, or the house is another one. */
export async function openWorld(house: House, policy: LatePolicy): Promise<World> {
  const { town, db } = house
  town.heal()
  await db.updateTable('payment').set({ next_query_at: null }).execute()
  const merchantId = await addMerchant(db, `Simulated shop ${crypto.randomUUID()}`)
  house.merchants.add(merchantId)
  await db
    .updateTable('merchant')
    .set({ late_policy: policy })
    .where('id', '=', merchantId)
    .execute()
  const apiKey = (await createApiKey(db, merchantId, 'test')).reveal()
  const main = await addNamed(db, merchantId, { town, name: town.main })
  const other = await addNamed(db, merchantId, { town, name: town.other })
  const shop = () => createShop({ gateway: { url: house.gatewayUrl() }, apiKey })
  return { ...house, merchantId, main, other, shop }
}

interface Running {
  readonly gateway: Gateway
  readonly boss: PgBoss
  readonly deps: WorkerDeps
  stop(): Promise<void>
}

async function start({ clock, vendor, points }: Town, databaseUrl: string): Promise<Running> {
  const shared = {
    databaseUrl,
    sealKey: testSealKey(),
    localHosts: [new URL(vendor.url).host],
    clock,
    log: silent,
    compensationSeconds: RETRY_SECONDS,
    requireDurable: false,
    publicUrl: PUBLIC_URL,
  }
  const gateway = await startGateway({ ...shared, hostname: '127.0.0.1', port: 0 })
  const db = openDatabase(databaseUrl, workerDatabase, ignore)
  const boss = await openQueues(databaseUrl, ignore)
  const { deps } = makeDeps(
    {
      ...shared,
      pointsUrl: points.url,
      retrySeconds: RETRY_SECONDS,
      querySeconds: RETRY_SECONDS,
      pollingSeconds: 1,
      sweepPattern: '* * * * * *',
    },
    { db, billDb: db, jobs: jobsOf(boss) },
  )
  const client = createPointsClient({ baseUrl: points.url, clock, timeoutMs: POINTS_TIMEOUT_MS })
  return {
    gateway,
    boss,
    deps: { ...deps, points: client },
    async stop() {
      await gateway.stop()
      await stopQueues(boss)
      await db.destroy()
    },
  }
}

/** An account that knows one of the vendor's two keys: the other one comes by rotation. */
async function addNamed(
  db: Db,
  merchantId: MerchantId,
  { town, name }: { readonly town: Town; readonly name: VendorName },
): Promise<Account> {
  const { mchid, appid, own } = name
  const settings = { mchid, appid, base_url: town.vendor.url }
  const strategy = strategies['wechat-pay']
  assert(strategy !== undefined, 'expected the strategy wechat-pay')
  const id = await addAccount(db, testSealKey(), {
    merchantId,
    name: `account ${mchid}`,
    channel: strategy.channelName,
    strategy: 'wechat-pay',
    settings,
    identity: strategy.identity(settings),
    vendorMerchant: strategy.vendorMerchant(settings),
    mode: 'test',
    keys: [
      key('merchant_private', own.certificateSerial, own.privateKeyPem),
      key('vendor_public', town.vendorKeys.publicKeyId, town.vendorKeys.publicKeyPem),
      key('symmetric', 'current', own.apiV3Key),
    ],
  })
  // One account takes all payments; the other one only hears callbacks.
  const accepting = name === town.main
  await setAccountFlags(db, merchantId, id, { accepting, retired: false })
  return { id, name, acknowledged: new Set() }
}

const key = (purpose: KeyPurpose, serial: string, text: string) => ({
  purpose,
  serial,
  value: new Secret(text),
})

/** A connection that was cut while idle is one that a crash has cut. */
const ignore = (): void => undefined
