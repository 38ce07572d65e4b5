import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { startWechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import type { WechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import { makeWechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import type { MerchantKeys, VendorKeys } from '../emulator/wechat-pay/keys.ts'
import { addMs } from '#domain/time'
import type { Clock } from '#domain/time'

/** A merchant number at the vendor, with its keys. */
export interface VendorName {
  readonly mchid: string
  readonly appid: string
  readonly own: MerchantKeys
}

/** A clock that a test moves forward. */
export interface MovableClock extends Clock {
  aheadMs(): number
  passMs(ms: number): void
  /** As late as it really is. */
  reset(): void
}

/** What is not ours and outlives a run: the vendor and the points system, each with its own books. */
export interface Town {
  readonly clock: MovableClock
  readonly vendor: WechatPayEmulator
  readonly vendorKeys: VendorKeys
  readonly points: PointsService
  /** The account that is paid, and another one of the same merchant of ours. */
  readonly main: VendorName
  readonly other: VendorName
  /** Puts the fault panels to rest. Callbacks stay ours to send. */
  heal(): void
  stop(): Promise<void>
}

export async function openTown(): Promise<Town> {
  const clock = movableClock()
  const [first, second] = await Promise.all([makeWechatPayKeys(), makeWechatPayKeys()])
  const vendorKeys = first.vendor
  const main: VendorName = { mchid: '1900000201', appid: 'wxsimulation0001', own: first.merchant }
  const other: VendorName = { mchid: '1900000202', appid: 'wxsimulation0002', own: second.merchant }
  const vendor = await startWechatPayEmulator({
    vendorKeys,
    clock: () => clock.now(),
    merchants: [main, other].map(({ mchid, appid, own }) => ({
      mchid,
      appids: [appid],
      merchantCertificateSerial: own.certificateSerial,
      merchantPublicKeyPem: own.publicKeyPem,
      apiV3Key: own.apiV3Key,
    })),
  })
  const points = startPointsService({ databasePath: ':memory:', clock: () => clock.now() })
  return {
    clock,
    vendor,
    vendorKeys,
    points,
    main,
    other,
    heal() {
      vendor.resetKnobs()
      vendor.setKnobs({ dropCallbacks: true, dropForever: true })
      points.setKnobs({ mode: 'ok' })
    },
    async stop() {
      await vendor.stop()
      await points.stop()
    },
  }
}

function movableClock(): MovableClock {
  let aheadMs = 0
  return {
    now: () => addMs(new Date(), aheadMs),
    aheadMs: () => aheadMs,
    passMs(ms) {
      aheadMs += ms
    },
    reset() {
      aheadMs = 0
    },
  }
}
