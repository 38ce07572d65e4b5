import type {
  NotificationFacts,
  PaymentFacts,
  RefundFacts,
  VendorRefundState,
  VendorState,
} from './notification.ts'

/** Facts as a JSON column holds them: amounts as text, times as RFC 3339. */
export type StoredFacts = Readonly<Record<string, unknown>>

/** Turns facts into JSON values with sorted keys, so that equal facts are equal text. */
export function storeFacts(facts: NotificationFacts): StoredFacts {
  const entries = Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]): [string, unknown] => [key, storable(value)])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries)
}

function storable(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Date) return value.toISOString()
  // PostgreSQL cannot hold NUL. The raw body keeps it; facts with it match nothing and are quarantined.
  if (typeof value === 'string') return value.replaceAll('\u0000', '\ufffd')
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }
  return value
}

/** SHA-256 of the facts, in hex: tells a repeat from another message under the same event key. */
export function digestFacts(stored: StoredFacts): string {
  return new Bun.CryptoHasher('sha256').update(JSON.stringify(stored)).digest('hex')
}

const VENDOR_STATES = ['success', 'not_yet', 'closed', 'failed', 'money_moved'] as const

const parseVendorState = (value: unknown): VendorState =>
  VENDOR_STATES.find((state) => state === value) ?? 'unknown'

/** Reads payment facts back from the column; `undefined` when the row is about something else. */
export function parsePaymentFacts(stored: StoredFacts): PaymentFacts | undefined {
  if (stored['kind'] !== 'payment') return undefined
  return {
    kind: 'payment',
    paymentNumber: text(stored['paymentNumber']) ?? '',
    identity: record(stored['identity']),
    vendorState: parseVendorState(stored['vendorState']),
    vendorStateText: text(stored['vendorStateText']) ?? '',
    ...optional('channelPaymentId', text(stored['channelPaymentId'])),
    ...optional('walletPaymentId', text(stored['walletPaymentId'])),
    ...optional('amountMinor', minor(stored['amountMinor'])),
    ...optional('currency', text(stored['currency'])),
    ...optional('paidAt', moment(stored['paidAt'])),
    ...optional('vendorTime', text(stored['vendorTime'])),
    ...optional('vendorProduct', text(stored['vendorProduct'])),
    ...optional('clearingDate', text(stored['clearingDate'])),
    ...optional('isFinal', truth(stored['isFinal'])),
    ...optional('isReturned', truth(stored['isReturned'])),
    ...optional('hasRefund', truth(stored['hasRefund'])),
  }
}

const REFUND_STATES = ['accepted', 'succeeded', 'refused', 'abnormal'] as const

const parseRefundState = (value: unknown): VendorRefundState =>
  REFUND_STATES.find((state) => state === value) ?? 'unknown'

/** Reads refund facts back from the column; `undefined` when the row is about something else. */
export function parseRefundFacts(stored: StoredFacts): RefundFacts | undefined {
  if (stored['kind'] !== 'refund') return undefined
  return {
    kind: 'refund',
    paymentNumber: text(stored['paymentNumber']) ?? '',
    identity: record(stored['identity']),
    refundState: parseRefundState(stored['refundState']),
    refundStateText: text(stored['refundStateText']) ?? '',
    ...optional('refundNumber', text(stored['refundNumber'])),
    ...optional('channelRefundId', text(stored['channelRefundId'])),
    ...optional('amountMinor', minor(stored['amountMinor'])),
    ...optional('currency', text(stored['currency'])),
    ...optional('refundedAt', moment(stored['refundedAt'])),
  }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const truth = (value: unknown): true | undefined => (value === true ? value : undefined)

const minor = (value: unknown): bigint | undefined =>
  typeof value === 'string' && /^\d+$/.test(value) ? BigInt(value) : undefined

const moment = (value: unknown): Date | undefined =>
  typeof value === 'string' ? new Date(value) : undefined

function record(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]))
}

function optional<Name extends string, T>(
  name: Name,
  value: T | undefined,
): Partial<Record<Name, T>> {
  const object: Partial<Record<Name, T>> = {}
  if (value !== undefined) object[name] = value
  return object
}
