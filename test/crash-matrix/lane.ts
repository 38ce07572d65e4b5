import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addEndpoint } from '#db/event/event-endpoint'
import { addMerchant, createApiKey } from '#db/account/merchant'
import type { ChannelAccountId, MerchantId } from '#domain/id'
import { startMerchant } from '../emulator/merchant/server.ts'
import type { Merchant } from '../emulator/merchant/server.ts'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { startWechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import type { WechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import type { WechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import { CONTROL } from '../failpoint/control.ts'
import { freeServerPort, runProgram } from '../flow/crash/program.ts'
import type { Program } from '../flow/crash/program.ts'
import { APPID, MCHID, addWechatPay, testSealKey } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'

/** Which programs are broken: those that are deployed, but for a check at their start, or planted ones. */
export interface Entries {
  readonly gateway: string
  readonly worker: string
}

export const DEPLOYED: Entries = {
  gateway: 'test/failpoint/gateway.ts',
  worker: 'test/failpoint/worker.ts',
}

export interface LaneOptions {
  readonly keys: WechatPayKeys
  readonly entries: Entries
}

/** A whole platform of its own, for one story after the other. Everybody but us survives what is broken. */
export interface Lane {
  readonly db: Db
  readonly merchantId: MerchantId
  readonly accountId: ChannelAccountId
  readonly apiKey: string
  readonly url: string
  readonly emulator: WechatPayEmulator
  readonly points: PointsService
  readonly merchant: Merchant
  /** Where the failpoints of each process are armed. */
  readonly controls: Readonly<Record<'gateway' | 'worker', string>>
  stop(): Promise<void>
}

/** The vendor is patient: it repeats until the gateway is there again. */
const RETRIES_MS = [...Array<number>(8).fill(100), ...Array<number>(120).fill(500)]
const SEAL_KEY = '5a'.repeat(32)

export async function startLane({ keys, entries }: LaneOptions): Promise<Lane> {
  const directory = mkdtempSync(join(tmpdir(), 'pingzhang-matrix-'))
  const database = await cloneDatabase()
  const emulator = await startVendor(keys)
  const points = startPointsService({ databasePath: join(directory, 'points.sqlite') })
  const merchant = await startMerchant()
  const db = openDatabase(database.url, workerDatabase, () => undefined)
  const port = freeServerPort()
  const controls = { gateway: join(directory, 'gateway'), worker: join(directory, 'worker') }
  const env = {
    DATABASE_URL: database.url,
    PINGZHANG_SEAL_KEY: SEAL_KEY,
    PINGZHANG_PUBLIC_URL: `http://127.0.0.1:${port}`,
    PINGZHANG_PORT: String(port),
    PINGZHANG_LOCAL_HOSTS: `127.0.0.1:${port},${new URL(emulator.url).host},${merchant.host}`,
    PINGZHANG_POINTS_URL: points.url,
    PINGZHANG_RETRY_S: '1',
    PINGZHANG_COMPENSATION_S: '1',
    PINGZHANG_QUERY_S: '1',
    PINGZHANG_SWEEP: '* * * * * *',
    // In no story there is a bill.
    PINGZHANG_BILLS: '0 0 0 1 1 *',
  }
  const shop = await openShop(db, keys, { emulator, merchant })
  const start = (name: 'gateway' | 'worker'): Program =>
    runProgram(
      entries[name],
      // The database knows connections by this name, and one server has the connections of all lanes.
      { ...env, [CONTROL]: controls[name], PGAPPNAME: `${name} ${port}` },
      ['--conditions=test'],
    )
  const programs = [start('gateway'), start('worker')]
  return {
    db,
    ...shop,
    url: `http://127.0.0.1:${port}`,
    emulator,
    points,
    merchant,
    controls,
    async stop() {
      await Promise.all(programs.map((program) => program.stop()))
      await Promise.all([emulator.stop(), points.stop(), merchant.stop(), db.destroy()])
      await database.drop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const startVendor = (keys: WechatPayKeys): Promise<WechatPayEmulator> =>
  startWechatPayEmulator({
    vendorKeys: keys.vendor,
    retryDelaysMs: RETRIES_MS,
    merchants: [
      {
        mchid: MCHID,
        appids: [APPID],
        merchantCertificateSerial: keys.merchant.certificateSerial,
        merchantPublicKeyPem: keys.merchant.publicKeyPem,
        apiV3Key: keys.merchant.apiV3Key,
      },
    ],
  })

async function openShop(
  db: Db,
  keys: WechatPayKeys,
  { emulator, merchant }: Pick<Lane, 'emulator' | 'merchant'>,
): Promise<Pick<Lane, 'merchantId' | 'accountId' | 'apiKey'>> {
  const merchantId = await addMerchant(db, 'Demo shop')
  const apiKey = (await createApiKey(db, merchantId, 'test')).reveal()
  const accountId = await addWechatPay(db, merchantId, keys, emulator.url, 'WeChat Pay')
  const endpoint = await addEndpoint(db, testSealKey(), merchantId, merchant.url)
  if (endpoint === undefined) throw new Error('the merchant may have an endpoint')
  merchant.setSecrets([endpoint.secret.reveal()])
  return { merchantId, accountId, apiKey }
}
