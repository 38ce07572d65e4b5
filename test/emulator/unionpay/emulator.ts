import type { Campaign } from '../core/delivery-desk.ts'
import type { Delivery } from '../core/delivery-log.ts'
import type { Emulator, EmulatorOptions } from '../core/emulator.ts'
import { newRogueKey } from '../core/rsa.ts'
import type { BillWish } from './bill.ts'
import { controlActions } from './control.ts'
import { createHttp } from './http.ts'
import type { VendorKeys } from './keys.ts'
import { makeVendorKeys } from './keys.ts'
import type { Knobs, KnobsPatch } from './knobs.ts'
import type { EmulatedOrder, EmulatedRefund } from './order.ts'
import type { EmulatedMerchant } from './request.ts'
import type { BuyerOptions, CallbackRequest, ForgeRequest, PayResult, PostForm } from './vendor.ts'
import { UnionpayVendor } from './vendor.ts'

export interface UnionpayEmulatorOptions extends EmulatorOptions {
  readonly merchants: readonly EmulatedMerchant[]
  /** Made at start unless given; a merchant's certificate comes from the same authority. */
  readonly vendorKeys?: VendorKeys
}

/** The vendor under test's thumb. Everything but `stop` is also under `/_control` on the same port. */
export interface UnionpayEmulator extends Emulator<Knobs, KnobsPatch> {
  readonly vendorKeys: VendorKeys
  /** Pays by order number, `tn` or QR text; `first` and `done` tell when the callback was sent and is over. */
  pay(target: string, options?: BuyerOptions): PayResult
  /** The buyer is at it: `05`, or another code of uncertainty, until `pay` or `fail` ends it. */
  begin(target: string, options?: BuyerOptions): PayResult
  /** The bank refuses: `60` unless the options say more. */
  fail(target: string, options?: BuyerOptions): PayResult
  /** Ends a refund or void held by `holdRefunds`. Throws if none is under way under that number. */
  finishRefund(orderNumber: string, code?: string, merId?: string): Campaign
  /** The form that the buyer's browser brings to `frontUrl`. `undefined` before a result. */
  returnForm(target: string, merId?: string): PostForm | undefined
  /** What the SDK tells the app after it has paid a `tn`. */
  appResult(tn: string): { readonly sign: string; readonly data: string } | undefined
  /** Resolves with the new certificate, which signs from then on. */
  rotateSigningCertificate(): Promise<string>
  /** Throws if there is neither such an order nor an address and fields. */
  forge(request: ForgeRequest): Promise<Delivery>
  sendCallback(request: CallbackRequest): Promise<Delivery>
  order(target: string, merId?: string): EmulatedOrder | undefined
  orders(): readonly EmulatedOrder[]
  refund(orderNumber: string, merId?: string): EmulatedRefund | undefined
  /** The detail file of a day's bill as of now, whatever the hour. */
  writeBill(wish: BillWish): Uint8Array
}

/** Starts the emulator on loopback. */
export async function startUnionpayEmulator(
  options: UnionpayEmulatorOptions,
): Promise<UnionpayEmulator> {
  const now = options.clock?.() ?? new Date()
  const [keys, rogueKeyPem] = await Promise.all([
    options.vendorKeys ?? makeVendorKeys(now),
    newRogueKey(),
  ])
  const { merchants } = options
  const vendor = new UnionpayVendor({ merchants, keys, rogueKeyPem, options })
  const face = vendor.core.serve<KnobsPatch>(createHttp(vendor), controlActions(vendor))
  return { ...face, ...faceOf(vendor) }
}

function faceOf(vendor: UnionpayVendor): Omit<UnionpayEmulator, keyof Emulator<Knobs, KnobsPatch>> {
  return {
    vendorKeys: vendor.settings.keys,
    pay: (target, options) => vendor.pay(target, options),
    begin: (target, options) => vendor.begin(target, options),
    fail: (target, options) => vendor.fail(target, options),
    finishRefund: (orderNumber, code, merId) => {
      const campaign = vendor.finishRefund(orderNumber, code, merId)
      if (campaign === undefined) throw new Error(`expected a held refund: ${orderNumber}`)
      return campaign
    },
    returnForm: (target, merId) => vendor.returnForm(target, merId),
    appResult: (tn) => vendor.appResult(tn),
    rotateSigningCertificate: () => vendor.rotateSigningCertificate(),
    forge: async (request) => {
      const delivery = await vendor.forge(request)
      if (delivery === undefined) throw new Error(`expected an order: ${request.orderNumber}`)
      return delivery
    },
    sendCallback: (request) => vendor.sendCallback(request),
    order: (target, merId) => vendor.book.findOrder(target, merId),
    orders: () => vendor.book.orders(),
    refund: (orderNumber, merId) => vendor.book.findRefund(orderNumber, merId),
    writeBill: (wish) => vendor.bills.write(wish),
  }
}
