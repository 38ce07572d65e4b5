import type { EmulatedMerchant } from './authorization.ts'
import type { Delivery } from '../delivery-log.ts'
import type { VendorKeys } from './keys.ts'
import { makeRogueKey, makeVendorKeys } from './keys.ts'
import type { Knobs, KnobsPatch } from './knobs.ts'
import type { EmulatedOrder } from './order.ts'
import type { PayOptions } from './order-book.ts'
import { serve } from './server.ts'
import type { CallbackRequest, ForgeRequest, PayResult, RequestEntry } from './vendor.ts'
import { WechatPayVendor } from './vendor.ts'

export interface WechatPayEmulatorOptions {
  readonly merchants: readonly EmulatedMerchant[]
  /** A free port unless given. */
  readonly port?: number
  /** Made at start unless given. */
  readonly vendorKeys?: VendorKeys
  readonly clock?: () => Date
  /** Gaps before the re-sends. Without it, the vendor's schedule times `timeScale`. */
  readonly retryDelaysMs?: readonly number[]
  /** 1 is the vendor's pace; 0.001 unless given: seconds become milliseconds. */
  readonly timeScale?: number
  /** How long the vendor waits for an acknowledgement; 5 seconds unless given. */
  readonly answerWithinMs?: number
  /** Every line of the delivery log is appended to this file as JSON. */
  readonly deliveryLogPath?: string
  /** `false`: a merchant that only ever had the public key. */
  readonly hasPlatformCertificate?: boolean
}

/** The vendor under test's thumb. Everything but `stop` is also under `/_control` on the same port. */
export interface WechatPayEmulator {
  readonly url: string
  readonly vendorKeys: VendorKeys
  /** The buyer pays; `first` and `done` of the result tell when the callback was sent and is over. */
  pay(outTradeNo: string, options?: PayOptions): PayResult
  resend(outTradeNo: string): Promise<void>
  markRefunded(outTradeNo: string, mchid?: string): boolean
  /** Throws if there is neither such an order nor an address and a plaintext. */
  forge(request: ForgeRequest): Promise<Delivery>
  sendCallback(request: CallbackRequest): Promise<Delivery>
  setKnobs(patch: KnobsPatch): Knobs
  resetKnobs(): Knobs
  order(outTradeNo: string, mchid?: string): EmulatedOrder | undefined
  orders(): readonly EmulatedOrder[]
  deliveries(): readonly Delivery[]
  /** Resolves as soon as the condition holds for the delivery log. */
  waitForDeliveries(
    isMet: (deliveries: readonly Delivery[]) => boolean,
  ): Promise<readonly Delivery[]>
  requests(): readonly RequestEntry[]
  waitForRequests(
    isMet: (requests: readonly RequestEntry[]) => boolean,
  ): Promise<readonly RequestEntry[]>
  /** Resolves when no callback is on its way or due to be repeated. */
  idle(): Promise<void>
  stop(): Promise<void>
}

/** The vendor's schedule in seconds (dossier 4.5). */
export const RETRY_SCHEDULE_SECONDS = [
  15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600,
] as const

const ANSWER_WITHIN_MS = 5_000
const TIME_SCALE = 0.001
const MS_PER_SECOND = 1000

/** Starts the emulator on loopback. */
export async function startWechatPayEmulator(
  options: WechatPayEmulatorOptions,
): Promise<WechatPayEmulator> {
  const [keys, rogueKeyPem] = await Promise.all([
    options.vendorKeys ?? makeVendorKeys(),
    makeRogueKey(),
  ])
  const scale = (options.timeScale ?? TIME_SCALE) * MS_PER_SECOND
  const vendor = new WechatPayVendor({
    merchants: options.merchants,
    keys,
    rogueKeyPem,
    now: options.clock ?? (() => new Date()),
    retryDelaysMs: options.retryDelaysMs ?? RETRY_SCHEDULE_SECONDS.map((gap) => gap * scale),
    answerWithinMs: options.answerWithinMs ?? ANSWER_WITHIN_MS,
    deliveryLogPath: options.deliveryLogPath,
  })
  const hasPlatformCertificate = options.hasPlatformCertificate ?? true
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: options.port ?? 0,
    // A silent vendor keeps the connection open for longer than the server's patience.
    idleTimeout: 0,
    fetch: (request) => serve({ vendor, hasPlatformCertificate }, request),
  })
  const stop = async (): Promise<void> => {
    await vendor.desk.stop()
    await server.stop(true)
  }
  return faceOf(vendor, { url: `http://127.0.0.1:${server.port}`, stop })
}

function faceOf(
  vendor: WechatPayVendor,
  server: Pick<WechatPayEmulator, 'url' | 'stop'>,
): WechatPayEmulator {
  return {
    ...server,
    vendorKeys: vendor.settings.keys,
    pay: (outTradeNo, options) => vendor.pay(outTradeNo, options),
    resend: async (outTradeNo) => {
      const campaign = vendor.resend(outTradeNo)
      if (campaign === undefined) throw new Error(`expected a paid order, got none: ${outTradeNo}`)
      await campaign.first
    },
    markRefunded: (outTradeNo, mchid) => vendor.markRefunded(outTradeNo, mchid),
    forge: async (request) => {
      const delivery = await vendor.forge(request)
      if (delivery === undefined) throw new Error(`expected an order: ${request.outTradeNo}`)
      return delivery
    },
    sendCallback: (request) => vendor.sendCallback(request),
    setKnobs: (patch) => vendor.panel.set(patch),
    resetKnobs: () => vendor.panel.reset(),
    order: (outTradeNo, mchid) => vendor.book.findAny(outTradeNo, mchid),
    orders: () => vendor.book.list(),
    deliveries: () => vendor.deliveries.list(),
    waitForDeliveries: (isMet) => vendor.deliveries.waitFor(isMet),
    requests: () => vendor.requests.list(),
    waitForRequests: (isMet) => vendor.requests.waitFor(isMet),
    idle: () => vendor.desk.idle(),
    stop: server.stop,
  }
}
