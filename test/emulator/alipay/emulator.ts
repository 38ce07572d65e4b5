import type { Campaign } from '../core/delivery-desk.ts'
import type { Delivery } from '../core/delivery-log.ts'
import type { Emulator, EmulatorOptions } from '../core/emulator.ts'
import { newRogueKey } from '../core/rsa.ts'
import type { BillWish } from './bill.ts'
import type { Member } from './bill-archive.ts'
import type { BillKind } from './bill-desk.ts'
import { controlActions } from './control.ts'
import type { EmulatedApp } from './gateway-call.ts'
import type { OrderStringResult } from './http.ts'
import { AlipayHttp } from './http.ts'
import type { AlipayVendorKeys, RotationWish } from './keys.ts'
import { makeVendorKeys } from './keys.ts'
import type { Knobs, KnobsPatch } from './knobs.ts'
import type { Trade } from './trade.ts'
import type { PayOptions, TradeMove } from './trade-book.ts'
import type { ForgeRequest, NoticeRequest, PayResult } from './vendor.ts'
import { AlipayVendor } from './vendor.ts'

export interface AlipayEmulatorOptions extends EmulatorOptions {
  readonly apps: readonly EmulatedApp[]
  /** Made at start unless given. */
  readonly vendorKeys?: AlipayVendorKeys
  /** The vendor publishes no figure; ten minutes unless given. */
  readonly clockSkewMsMax?: number
}

/** Alipay under test's thumb. */
export interface AlipayEmulator extends Emulator<Knobs, KnobsPatch> {
  /** Where requests and forms go. */
  readonly gatewayUrl: string
  /** The keys at present, after every rotation. */
  vendorKeys(): AlipayVendorKeys
  /** The buyer's wallet is given an order string of `alipay.trade.app.pay`. */
  takeOrderString(orderString: string): OrderStringResult
  /** The buyer scans a code of precreate: now the trade exists. */
  scan(code: string): TradeMove
  /** The buyer logs in to the cashier or scans: now the trade exists, unpaid. */
  enter(outTradeNo: string): TradeMove
  /**
   * The buyer pays; `first` and `done` of the result tell when the notice was sent and is over.
   *
   * An order that Alipay never saw is `missing`: open the form, hand in the order string, or create it.
   */
  pay(outTradeNo: string, options?: PayOptions): PayResult
  /** The signed address that the buyer's browser goes back to. `undefined`: unpaid, or none named. */
  returnAddress(outTradeNo: string): string | undefined
  /** Nobody pays in time: the trade closes. Throws unless there is an unpaid one. */
  expire(outTradeNo: string): Trade
  /** The refund window ends. Throws unless the order is paid. */
  finish(outTradeNo: string): Campaign
  /** Sends a forged notice once. Throws if there is no such order, or no address for it. */
  forge(request: ForgeRequest): Promise<Delivery>
  /** A genuine notice that claims what it is told, once. Throws like `forge`. */
  sendNotice(request: NoticeRequest): Promise<Delivery>
  rotateKey(): Promise<AlipayVendorKeys>
  rotateCertificate(wish?: RotationWish): Promise<AlipayVendorKeys>
  /** The members of a day's bill as of now, whatever the hour; none when nothing happened. */
  writeBill(kind: BillKind, wish: BillWish): readonly Member[]
  trade(outTradeNo: string): Trade | undefined
  trades(): readonly Trade[]
}

const CLOCK_SKEW_MS_MAX = 10 * 60_000

/** Starts the emulator on loopback. */
export async function startAlipayEmulator(options: AlipayEmulatorOptions): Promise<AlipayEmulator> {
  const [keys, rogueKeyPem] = await Promise.all([
    options.vendorKeys ?? makeVendorKeys(),
    newRogueKey(),
  ])
  const vendor = new AlipayVendor({
    apps: options.apps,
    keys,
    rogueKeyPem,
    clockSkewMsMax: options.clockSkewMsMax ?? CLOCK_SKEW_MS_MAX,
    options,
  })
  const http = new AlipayHttp(vendor)
  const face = vendor.core.serve<KnobsPatch>(http, controlActions(vendor, http))
  return {
    ...face,
    gatewayUrl: `${face.url}/gateway.do`,
    vendorKeys: () => vendor.keys,
    takeOrderString: (orderString) => http.takeOrderString(orderString),
    scan: (code) => {
      const outTradeNo = vendor.book.readQrCode(code)
      if (outTradeNo === undefined) return { kind: 'refused', reason: 'missing' }
      return vendor.enter(outTradeNo)
    },
    enter: (outTradeNo) => vendor.enter(outTradeNo),
    pay: (outTradeNo, how) => vendor.pay(outTradeNo, how),
    returnAddress: (outTradeNo) => vendor.returnAddress(outTradeNo),
    expire: (outTradeNo) => existing(vendor.expire(outTradeNo), outTradeNo),
    finish: (outTradeNo) => existing(vendor.finish(outTradeNo), outTradeNo),
    forge: async (request) => existing(await vendor.forge(request), request.outTradeNo),
    sendNotice: async (request) => existing(await vendor.sendNotice(request), request.outTradeNo),
    rotateKey: () => vendor.rotateKey(),
    rotateCertificate: (wish) => vendor.rotateCertificate(wish),
    writeBill: (kind, wish) => vendor.bills.write(kind, wish),
    trade: (outTradeNo) => vendor.book.find(outTradeNo),
    trades: () => vendor.book.list(),
  }
}

function existing<T>(value: T | undefined, outTradeNo: string): T {
  if (value === undefined) throw new Error(`expected an order that allows it: ${outTradeNo}`)
  return value
}
