import type { RefundPart, RefundRequest } from '#channel/channel'
import { assert } from '#domain/assert'
import { parseRefundId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import { cny } from '#domain/money'
import type { Call } from './call.ts'
import { DEFAULT_MINOR, productsOf, referenceOf } from './stage.ts'
import type { Stage } from './stage.ts'
import type {
  ContractRefund,
  ContractVendor,
  RefundVoice,
  Told,
  ToldRefund,
  Voice,
} from './vendor.ts'

/** Less than the payment, so that one is never taken for the other. */
const REFUND_MINOR = 801n

/** How a refund differs from the usual one. */
export interface RefundSetup {
  readonly minor?: bigint
  readonly told?: Partial<Pick<ToldRefund, 'refundId' | 'state' | 'amountText'>>
  /** Whether an earlier answer gave the vendor's number. */
  readonly isNumbered?: boolean
}

/** One refund for each payment of the suite. */
export function refundIdOf(paymentId: PaymentId): RefundId {
  const id = parseRefundId(`r${paymentId.slice(1)}`)
  assert(id !== undefined, `expected a refund id for ${paymentId}`)
  return id
}

export function refundOf(vendor: ContractVendor): ContractRefund {
  assert(vendor.refund !== undefined, 'expected a vendor with refunds')
  return vendor.refund
}

export function partOf(stage: Stage): RefundPart {
  assert(stage.channel.refund !== undefined, 'expected a channel with refunds')
  return stage.channel.refund
}

export function refundVoiceOf(voice: Voice): RefundVoice {
  assert(voice.refund !== undefined, 'expected a voice for refunds')
  return voice.refund
}

export function tellRefund(
  vendor: ContractVendor,
  payment: Told,
  { minor = REFUND_MINOR, told = {} }: RefundSetup = {},
): ToldRefund {
  const refund = refundOf(vendor)
  return {
    payment,
    refundId: refundIdOf(payment.paymentId),
    amountText: vendor.writeAmount(minor),
    state: refund.doneState,
    channelRefundId: refund.channelRefundId,
    ...told,
  }
}

function requestOf(
  vendor: ContractVendor,
  stage: Stage,
  payment: Told,
  { minor = REFUND_MINOR, isNumbered = false }: RefundSetup,
): RefundRequest {
  const vendorTime = partOf(stage).newVendorTime?.()
  return {
    refundId: refundIdOf(payment.paymentId),
    payment: { ...referenceOf(vendor, payment), channelPaymentId: payment.channelPaymentId },
    paid: cny(minor > DEFAULT_MINOR ? minor : DEFAULT_MINOR),
    amount: cny(minor),
    reason: '退货',
    callbackUrl: 'https://pay.example.com/callback/a',
    ...(vendorTime === undefined ? {} : { vendorTime }),
    ...(isNumbered ? { channelRefundId: refundOf(vendor).channelRefundId } : {}),
  }
}

function productOf(vendor: ContractVendor) {
  const [product] = productsOf(vendor)
  assert(product !== undefined, 'a vendor has a product')
  return product
}

export const submitCall = (vendor: ContractVendor, setup: RefundSetup = {}): Call => ({
  name: 'refund',
  product: productOf(vendor),
  good: 'answered',
  run: (stage, _prepared, told) =>
    partOf(stage).submit(requestOf(vendor, stage, told, setup), stage.record),
  answer: (voice, heard, told) =>
    refundVoiceOf(voice).answered(heard, tellRefund(vendor, told, setup)),
})

export const refundQueryCall = (vendor: ContractVendor, setup: RefundSetup = {}): Call => ({
  name: setup.isNumbered === true ? 'refund query with the number of the vendor' : 'refund query',
  product: productOf(vendor),
  good: 'found',
  run: (stage, _prepared, told) =>
    partOf(stage).query(requestOf(vendor, stage, told, setup), stage.record),
  answer: (voice, heard, told) =>
    refundVoiceOf(voice).found(heard, tellRefund(vendor, told, setup)),
})

/** Every call about refunds; none where the vendor's refunds are not built. */
export const refundCallsOf = (vendor: ContractVendor): readonly Call[] =>
  vendor.refund === undefined
    ? []
    : [submitCall(vendor), refundQueryCall(vendor), refundQueryCall(vendor, { isNumbered: true })]
