import { mint } from './brand.ts'
import type { Brand } from './brand.ts'

export type MerchantId = Brand<string, 'MerchantId'>
export type VendorMerchantId = Brand<string, 'VendorMerchantId'>
export type ChannelAccountId = Brand<string, 'ChannelAccountId'>
export type ChannelKeyId = Brand<string, 'ChannelKeyId'>
export type OrderId = Brand<string, 'OrderId'>
/** Also the merchant order number that we send to the vendor. */
export type PaymentId = Brand<string, 'PaymentId'>
export type NotificationId = Brand<string, 'NotificationId'>
export type PointsGrantId = Brand<string, 'PointsGrantId'>
export type CaseId = Brand<string, 'CaseId'>
export type BillId = Brand<string, 'BillId'>
export type RunId = Brand<string, 'RunId'>
export type ReconciliationId = Brand<string, 'ReconciliationId'>
export type DiscrepancyId = Brand<string, 'DiscrepancyId'>
export type EventId = Brand<string, 'EventId'>
export type EndpointId = Brand<string, 'EndpointId'>
export type DeliveryId = Brand<string, 'DeliveryId'>
/** Also the merchant refund number that we send to the vendor. */
export type RefundId = Brand<string, 'RefundId'>
export type ApiKeyId = Brand<string, 'ApiKeyId'>

const prefix = {
  merchant: 'm',
  vendorMerchant: 'v',
  channelAccount: 'a',
  channelKey: 'k',
  order: 'o',
  payment: 'p',
  notification: 'n',
  pointsGrant: 'g',
  openCase: 'c',
  refund: 'r',
  audit: 't',
  bill: 'b',
  run: 'u',
  reconciliation: 'h',
  discrepancy: 'f',
  operator: 'q',
  event: 'e',
  endpoint: 'w',
  delivery: 'd',
  apiKey: 'y',
  log: 'l',
} as const

const LETTERS_AFTER_PREFIX = 25

/**
 * A new id: a letter and a UUIDv7 in base 36, 26 letters and digits.
 *
 * It sorts by time, and every vendor takes it as an order number (UnionPay 8 to 32 letters and digits).
 */
function newId(letter: string): string {
  const hex = Bun.randomUUIDv7().replaceAll('-', '')
  return letter + BigInt(`0x${hex}`).toString(36).padStart(LETTERS_AFTER_PREFIX, '0')
}

export const newMerchantId = (): MerchantId => mint(newId(prefix.merchant))
export const newVendorMerchantId = (): VendorMerchantId => mint(newId(prefix.vendorMerchant))
export const newChannelAccountId = (): ChannelAccountId => mint(newId(prefix.channelAccount))
export const newChannelKeyId = (): ChannelKeyId => mint(newId(prefix.channelKey))
export const newOrderId = (): OrderId => mint(newId(prefix.order))
export const newPaymentId = (): PaymentId => mint(newId(prefix.payment))
export const newNotificationId = (): NotificationId => mint(newId(prefix.notification))
export const newPointsGrantId = (): PointsGrantId => mint(newId(prefix.pointsGrant))
export const newCaseId = (): CaseId => mint(newId(prefix.openCase))
export const newApiKeyId = (): ApiKeyId => mint(newId(prefix.apiKey))
export const newRefundId = (): RefundId => mint(newId(prefix.refund))
export const newOperatorId = (): string => newId(prefix.operator)
export const newBillId = (): BillId => mint(newId(prefix.bill))
export const newRunId = (): RunId => mint(newId(prefix.run))
export const newReconciliationId = (): ReconciliationId => mint(newId(prefix.reconciliation))
export const newEventId = (): EventId => mint(newId(prefix.event))
export const newEndpointId = (): EndpointId => mint(newId(prefix.endpoint))
export const newDeliveryId = (): DeliveryId => mint(newId(prefix.delivery))
export const newAuditId = (): string => newId(prefix.audit)
export const newLogId = (): string => newId(prefix.log)

const isId = (letter: string, text: string): boolean =>
  text.startsWith(letter) && /^[a-z][0-9a-z]{25}$/.test(text)

/** Reads an id that came back from a vendor or a URL. */
export const parsePaymentId = (text: string): PaymentId | undefined =>
  isId(prefix.payment, text) ? mint(text) : undefined

/** The least id that an event of this moment, or of a later one, can have: for cursors over time. */
export const eventIdFrom = (moment: Date): EventId => mint(leastId(prefix.event, moment))

/** The same of a grant: they are found by their day without an index over time. */
export const pointsGrantIdFrom = (moment: Date): PointsGrantId =>
  mint(leastId(prefix.pointsGrant, moment))

function leastId(letter: string, moment: Date): string {
  const number = BigInt(Math.max(0, moment.getTime())) << 80n
  return letter + number.toString(36).padStart(LETTERS_AFTER_PREFIX, '0')
}

/** Reads a reconciliation id of a URL. */
export const parseReconciliationId = (text: string): ReconciliationId | undefined =>
  isId(prefix.reconciliation, text) ? mint(text) : undefined

/** Reads a discrepancy id of a URL or a command. */
export const parseDiscrepancyId = (text: string): DiscrepancyId | undefined =>
  isId(prefix.discrepancy, text) ? mint(text) : undefined

/** Reads an event id of a URL or a cursor. */
export const parseEventId = (text: string): EventId | undefined =>
  isId(prefix.event, text) ? mint(text) : undefined

/** Reads an endpoint id of a URL. */
export const parseEndpointId = (text: string): EndpointId | undefined =>
  isId(prefix.endpoint, text) ? mint(text) : undefined

/** Reads a case id of a command or a cursor. */
export const parseCaseId = (text: string): CaseId | undefined =>
  isId(prefix.openCase, text) ? mint(text) : undefined

/** Reads a refund id that came back from a vendor or a URL. */
export const parseRefundId = (text: string): RefundId | undefined =>
  isId(prefix.refund, text) ? mint(text) : undefined

/** Reads the account of a callback address. */
export const parseChannelAccountId = (text: string): ChannelAccountId | undefined =>
  isId(prefix.channelAccount, text) ? mint(text) : undefined

/** Reads a merchant id of a command or a job. */
export const parseMerchantId = (text: string): MerchantId | undefined =>
  isId(prefix.merchant, text) ? mint(text) : undefined
