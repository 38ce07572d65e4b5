import type { Delivery } from '../core/delivery-log.ts'
import type { Emulator, EmulatorOptions } from '../core/emulator.ts'
import { newRogueKey } from '../core/rsa.ts'
import type { EmulatedMerchant } from './authorization.ts'
import type { BillWish } from './bill.ts'
import type { BillKind, BillOnDisk } from './bill-desk.ts'
import { controlActions } from './control.ts'
import { WechatPayHttp } from './http.ts'
import type { VendorKeys } from './keys.ts'
import { makeVendorKeys } from './keys.ts'
import type { Knobs, KnobsPatch } from './knobs.ts'
import type { EmulatedOrder } from './order.ts'
import type { PayOptions } from './order-book.ts'
import type { EmulatedRefund, RefundStatus } from './refund.ts'
import type { CallbackRequest, ForgeRequest, PayResult } from './vendor.ts'
import { WechatPayVendor } from './vendor.ts'

export interface WechatPayEmulatorOptions extends EmulatorOptions {
  readonly merchants: readonly EmulatedMerchant[]
  /** Made at start unless given. */
  readonly vendorKeys?: VendorKeys
  /** `false`: a merchant that only ever had the public key. */
  readonly hasPlatformCertificate?: boolean
}

/** WeChat Pay under test's thumb. */
export interface WechatPayEmulator extends Emulator<Knobs, KnobsPatch> {
  readonly vendorKeys: VendorKeys
  /** The buyer pays; `first` and `done` of the result tell when the callback was sent and is over. */
  pay(outTradeNo: string, options?: PayOptions): PayResult
  markRefunded(outTradeNo: string, mchid?: string): boolean
  refund(outRefundNo: string): EmulatedRefund | undefined
  refunds(): readonly EmulatedRefund[]
  /** Those of one order. */
  refundsOf(outTradeNo: string): readonly EmulatedRefund[]
  /** A refund at the vendor's own console; false for an order that is not paid. */
  refundAtConsole(outTradeNo: string, outRefundNo: string, amount: number): boolean
  /** Ends a refund; throws if there is none. Resolves when its notice is over. */
  finishRefund(outRefundNo: string, status: RefundStatus): Promise<void>
  /** Throws if there is neither such an order nor an address and a plaintext. */
  forge(request: ForgeRequest): Promise<Delivery>
  sendCallback(request: CallbackRequest): Promise<Delivery>
  /** The text of a day's bill as of now, whatever the hour; empty when nothing happened. */
  writeBill(kind: BillKind, wish: BillWish): string
  /** Serves a transaction bill from disk instead of what happened. */
  putBill(bill: BillOnDisk): void
  order(outTradeNo: string, mchid?: string): EmulatedOrder | undefined
  orders(): readonly EmulatedOrder[]
}

/** Starts the emulator on loopback. */
export async function startWechatPayEmulator(
  options: WechatPayEmulatorOptions,
): Promise<WechatPayEmulator> {
  const [keys, rogueKeyPem] = await Promise.all([
    options.vendorKeys ?? makeVendorKeys(),
    newRogueKey(),
  ])
  const vendor = new WechatPayVendor({ merchants: options.merchants, keys, rogueKeyPem, options })
  const http = new WechatPayHttp(vendor, options.hasPlatformCertificate ?? true)
  return {
    ...vendor.core.serve<KnobsPatch>(http, controlActions(vendor)),
    vendorKeys: keys,
    pay: (outTradeNo, how) => vendor.pay(outTradeNo, how),
    markRefunded: (outTradeNo, mchid) => vendor.markRefunded(outTradeNo, mchid),
    refund: (outRefundNo) => vendor.refunds.find(outRefundNo),
    refunds: () => vendor.refunds.list(),
    refundsOf: (number) => vendor.refunds.list().filter(({ outTradeNo }) => outTradeNo === number),
    refundAtConsole: (outTradeNo, number, amount) =>
      vendor.refundAtConsole(outTradeNo, number, amount),
    finishRefund: async (outRefundNo, status) => {
      if (vendor.refunds.find(outRefundNo) === undefined) {
        throw new Error(`expected a refund: ${outRefundNo}`)
      }
      await vendor.finishRefund(outRefundNo, status)?.done
    },
    forge: async (request) => {
      const delivery = await vendor.forge(request)
      if (delivery === undefined) throw new Error(`expected an order: ${request.outTradeNo}`)
      return delivery
    },
    sendCallback: (request) => vendor.sendCallback(request),
    writeBill: (kind, wish) => vendor.bills.write(kind, wish),
    putBill: (bill) => vendor.bills.put(bill),
    order: (outTradeNo, mchid) => vendor.book.findAny(outTradeNo, mchid),
    orders: () => vendor.book.list(),
  }
}
