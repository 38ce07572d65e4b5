import type { Generated } from 'kysely'
import type {
  ApiKeyId,
  CaseId,
  ChannelAccountId,
  ChannelKeyId,
  MerchantId,
  NotificationId,
  OrderId,
  PaymentId,
  PointsGrantId,
  RefundId,
  VendorMerchantId,
} from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import type { Method, NextAction, Wallet } from '#domain/method'
import type { Currency } from '#domain/money'
import type { Scope } from '#domain/scope'
import type {
  CaseState,
  Disposition,
  NotificationState,
  OrderState,
  PaymentState,
  PointsGrantState,
  RefundOrigin,
  RefundState,
} from '#domain/state'
import type { Json, Stamp, Stored } from './column.ts'
import type { BillSchema, OperationSchema } from './schema-bill.ts'
import type { EventSchema } from './schema-event.ts'

/** What a merchant wants done with money for a closed order; for a second payment, `revive` means `ask`. */
export type LatePolicy = 'revive' | 'refund' | 'ask'

/** What the transaction log tells about a payment. */
export type LogKind =
  'create' | 'query' | 'close' | 'key' | 'callback' | 'return' | 'refund' | 'refund_query' | 'bill'

export interface Schema extends EventSchema, BillSchema, OperationSchema {
  merchant: {
    id: MerchantId
    name: string
    points_per_yuan: Generated<bigint>
    late_policy: Generated<LatePolicy>
    created_at: Stamp
  }
  api_key: {
    merchant_id: MerchantId
    id: ApiKeyId
    hash: string
    shown_prefix: string
    scopes: readonly Scope[]
    created_at: Stamp
    revoked_at: Date | null
  }
  vendor_merchant: {
    merchant_id: MerchantId
    id: VendorMerchantId
    channel: string
    number: string
    mode: 'live' | 'test'
  }
  channel_account: {
    merchant_id: MerchantId
    id: ChannelAccountId
    vendor_merchant_id: VendorMerchantId
    name: string
    channel: string
    strategy: string
    settings: Json<Stored>
    identity: Json<Record<string, string>>
    accepting: Generated<boolean>
    retired: Generated<boolean>
    version: Generated<bigint>
    created_at: Stamp
  }
  channel_key: {
    merchant_id: MerchantId
    id: ChannelKeyId
    channel_account_id: ChannelAccountId
    purpose: KeyPurpose
    serial: string
    sealed: Buffer
    valid_from: Date | null
    valid_until: Date | null
    created_at: Stamp
  }
  customer_order: {
    merchant_id: MerchantId
    id: OrderId
    order_number: string
    user_id: string
    amount: bigint
    currency: Currency
    state: Generated<OrderState>
    close_wanted: Generated<boolean>
    paid_payment_id: PaymentId | null
    created_at: Stamp
  }
  payment: {
    merchant_id: MerchantId
    id: PaymentId
    order_id: OrderId
    channel_account_id: ChannelAccountId
    method: Method
    amount: bigint
    currency: Currency
    subject: string
    state: Generated<PaymentState>
    disposition: Disposition | null
    money_in_doubt: Generated<boolean>
    vendor_request: string
    vendor_time: string | null
    vendor_product: string | null
    wallet: Wallet | null
    client_ip: string | null
    payer_open_id: string | null
    clearing_date: string | null
    return_url: string | null
    next_action: Json<NextAction> | null
    credential_at: Date | null
    channel_payment_id: string | null
    refusal_code: string | null
    close_proof: string | null
    expires_at: Date
    paid_at: Date | null
    next_query_at: Date | null
    queries: Generated<bigint>
    created_at: Stamp
    refund_reserved: Generated<bigint>
    refunded: Generated<bigint>
    refundable: Generated<boolean>
    query_asked_at: Date | null
    received_amount: bigint | null
    /** While it is in the future, a call that creates this payment at its vendor may be under way. */
    sending_until: Generated<Date | null>
    /** The wallet's own number where an aggregator stands between; null where the vendor is the wallet. */
    wallet_payment_id: string | null
  }
  notification: {
    merchant_id: MerchantId
    id: NotificationId
    channel_account_id: ChannelAccountId
    event_key: string
    facts: Json<Stored>
    facts_digest: string
    payment_number: string | null
    key_serial: string
    headers: Json<Record<string, string>>
    body: Buffer
    state: Generated<NotificationState>
    quarantine_reason: string | null
    due_at: Date | null
    received_at: Stamp
    applied_at: Date | null
  }
  transaction_log: {
    merchant_id: MerchantId
    id: string
    channel: string
    payment_id: PaymentId | null
    refund_id: RefundId | null
    notification_id: NotificationId | null
    kind: LogKind
    content: Json<Stored>
    at: Stamp
  }
  rejected_callback: {
    channel_account_id: ChannelAccountId
    slot: bigint
    reason: string
    explanation: string
    at: Stamp
  }
  points_grant: {
    merchant_id: MerchantId
    id: PointsGrantId
    order_id: OrderId
    kind: 'grant' | 'revoke'
    user_id: string
    points: bigint
    idempotency_key: string
    refund_id: RefundId | null
    state: Generated<PointsGrantState>
    due_at: Date | null
    created_at: Stamp
  }
  refund: {
    merchant_id: MerchantId
    id: RefundId
    payment_id: PaymentId
    channel_account_id: ChannelAccountId
    origin: RefundOrigin
    amount: bigint
    currency: Currency
    reason: string
    request_key: string | null
    /** The merchant's own. */
    refund_number: string | null
    state: Generated<RefundState>
    vendor_time: string | null
    channel_refund_id: string | null
    refusal_code: string | null
    attempts: Generated<bigint>
    sent_at: Date | null
    due_at: Date | null
    created_at: Stamp
    succeeded_at: Date | null
  }
  audit: {
    merchant_id: MerchantId
    place: bigint
    id: string
    actor: string
    action: string
    subject: string
    reason: string
    content: Json<Stored>
    at: Stamp
    previous_hash: string
    hash: string
  }
  open_case: {
    merchant_id: MerchantId
    id: CaseId
    kind: string
    subject: string
    evidence: Json<Stored>
    state: Generated<CaseState>
    opened_at: Stamp
    resolved_at: Date | null
  }
  state_change: {
    merchant_id: MerchantId
    subject_kind: string
    subject_id: string
    from_state: string | null
    to_state: string
    witness: string
    at: Stamp
  }
  idempotency_key: {
    merchant_id: MerchantId
    key: string
    request_hash: string
    status: bigint | null
    body: string | null
    created_at: Stamp
  }
}
