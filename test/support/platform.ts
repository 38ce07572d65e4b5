import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { strategies } from '#channel/strategies'
import { addAccount, setAccountFlags } from '#db/account/account'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { parseSealKey } from '#db/seal'
import type { SealKey } from '#db/seal'
import type { ChannelAccountId, MerchantId } from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import { Secret } from '#domain/secret'
import { systemClock } from '#domain/time'
import type { Clock } from '#domain/time'
import { startGateway } from '#gateway/start'
import type { Gateway, GatewayOptions } from '#gateway/start'
import { startWorker } from '#worker/start'
import type { Worker } from '#worker/start'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { startWechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import type { WechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import { makeWechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import type { WechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import { freePort } from './port.ts'

export const MCHID = '1900000109'
export const APPID = 'wxd678efh567hg6787'

/** A seal key for tests and the demo alone. */
export function testSealKey(): SealKey {
  const key = parseSealKey('5a'.repeat(32))
  if (key === undefined) throw new Error('the test seal key does not parse')
  return key
}

export interface PlatformOptions {
  readonly databaseUrl: string
  readonly requireDurable?: boolean
  readonly clock?: Clock
  readonly hasWorker?: boolean
  /** Opens the listener for operators, too. */
  readonly hasOperations?: boolean
  readonly commitWith?: GatewayOptions['commitWith']
  /** Addresses of more vendors than the one that comes with the platform. */
  readonly localHosts?: readonly string[]
}

/** The whole platform in this process, with real HTTP between its parts. */
export interface Platform {
  readonly db: Db
  readonly merchantId: MerchantId
  readonly apiKey: string
  readonly accountId: ChannelAccountId
  readonly keys: WechatPayKeys
  readonly emulator: WechatPayEmulator
  readonly points: PointsService
  readonly gateway: Gateway
  readonly worker: Worker | undefined
  readonly localHosts: readonly string[]
  stop(): Promise<void>
}

const silent = pino({ level: process.env['PINGZHANG_TEST_LOG'] ?? 'silent' })

export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const clock = options.clock ?? systemClock
  const directory = mkdtempSync(join(tmpdir(), 'pingzhang-points-'))
  const keys = await makeWechatPayKeys()
  const emulator = await startWechatPayEmulator({
    vendorKeys: keys.vendor,
    clock: () => clock.now(),
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
  const points = startPointsService({ databasePath: join(directory, 'points.sqlite') })
  const db = openDatabase(options.databaseUrl, workerDatabase, (error) => silent.warn({ error }))
  const merchantId = await addMerchant(db, 'Demo shop')
  const apiKey = (await createApiKey(db, merchantId, 'test')).reveal()
  const port = await freePort()
  const publicUrl = `http://127.0.0.1:${port}`
  const localHosts = [
    new URL(emulator.url).host,
    `127.0.0.1:${port}`,
    ...(options.localHosts ?? []),
  ]
  const accountId = await addWechatPay(db, merchantId, keys, emulator.url, 'WeChat Pay')
  const shared = {
    databaseUrl: options.databaseUrl,
    sealKey: testSealKey(),
    localHosts,
    clock,
    log: silent,
    compensationSeconds: 3,
    requireDurable: options.requireDurable ?? false,
  }
  const gateway = await startGateway({
    ...shared,
    publicUrl,
    hostname: '127.0.0.1',
    port,
    ...(options.hasOperations === true ? { operationsPort: 0 } : {}),
    ...(options.commitWith === undefined ? {} : { commitWith: options.commitWith }),
  })
  const worker =
    options.hasWorker === false
      ? undefined
      : await startWorker({
          ...shared,
          pointsUrl: points.url,
          publicUrl,
          retrySeconds: 1,
          querySeconds: 2,
          pollingSeconds: 0.5,
          sweepPattern: '* * * * * *',
        })
  return {
    db,
    merchantId,
    apiKey,
    accountId,
    keys,
    emulator,
    points,
    gateway,
    worker,
    localHosts,
    async stop() {
      await worker?.stop()
      await gateway.stop()
      await emulator.stop()
      await points.stop()
      await db.destroy()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Adds an account of the emulator's merchant and lets it accept payments. */
export async function addWechatPay(
  db: Db,
  merchantId: MerchantId,
  keys: WechatPayKeys,
  baseUrl: string,
  name: string,
): Promise<ChannelAccountId> {
  const settings = { mchid: MCHID, appid: APPID, base_url: baseUrl }
  const strategy = strategies['wechat-pay']
  if (strategy === undefined) throw new Error('no strategy wechat-pay')
  const accountId = await addAccount(db, testSealKey(), {
    merchantId,
    name,
    channel: strategy.channelName,
    strategy: 'wechat-pay',
    settings,
    identity: strategy.identity(settings),
    vendorMerchant: strategy.vendorMerchant(settings),
    mode: 'test',
    keys: [
      key('merchant_private', keys.merchant.certificateSerial, keys.merchant.privateKeyPem),
      key('vendor_public', keys.vendor.publicKeyId, keys.vendor.publicKeyPem),
      key('vendor_public', keys.vendor.certificateSerial, keys.vendor.certificatePem),
      key('symmetric', 'current', keys.merchant.apiV3Key),
    ],
  })
  await setAccountFlags(db, merchantId, accountId, { accepting: true, retired: false })
  return accountId
}

const key = (purpose: KeyPurpose, serial: string, text: string) => ({
  purpose,
  serial,
  value: new Secret(text),
})
