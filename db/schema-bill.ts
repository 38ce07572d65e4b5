import type { Generated } from 'kysely'
import type {
  BillId,
  DiscrepancyId,
  MerchantId,
  ReconciliationId,
  RunId,
  VendorMerchantId,
} from '#domain/id'
import type { DiscrepancyKind } from '#domain/discrepancy'
import type { DiscrepancyState, RunState } from '#domain/state'
import type { Json, Stamp, Stored } from './column.ts'

/** A business day, `yyyy-mm-dd`: text, because a Date has a zone and a business day has the vendor's. */
type Day = string

/** Who decides, and what the machine has mended. */
export interface OperationSchema {
  operator: {
    id: string
    name: string
    hash: string
    created_at: Stamp
    revoked_at: Date | null
  }
  repair_count: {
    kind: string
    day: Day
    count: bigint
  }
}

/** Vendors' bills and what matching them found. */
export interface BillSchema {
  schedule_run: {
    merchant_id: MerchantId
    task: 'bill' | 'fund' | 'points'
    vendor_merchant_id: VendorMerchantId
    business_date: Day
    id: RunId
    state: Generated<RunState>
    attempts: Generated<bigint>
    due_at: Date | null
    deadline_at: Date
    /** Until then somebody is at work on it. */
    held_until: Date | null
    note: string | null
    finished_at: Date | null
  }
  bill_file: {
    merchant_id: MerchantId
    digest: string
    bytes: bigint
    headers: Json<Record<string, string>>
    broken: string | null
    created_at: Stamp
  }
  bill_file_part: {
    merchant_id: MerchantId
    digest: string
    part: bigint
    content: Buffer
  }
  bill: {
    merchant_id: MerchantId
    id: BillId
    vendor_merchant_id: VendorMerchantId
    kind: 'transaction' | 'fund'
    business_date: Day
    revision: bigint
    digest: string | null
    lines: bigint
    payments: bigint
    payment_amount: bigint
    refunds: bigint
    refund_amount: bigint
    fee: string
    loaded_at: Stamp
  }
  bill_line: {
    merchant_id: MerchantId
    bill_id: BillId
    line: bigint
    business_date: Day
    kind: string
    payment_number: string
    channel_payment_id: string
    refund_number: string
    channel_refund_id: string
    amount: bigint
    fee: string | null
    rate: string | null
    /** What the rate is of; null where it is the amount. */
    fee_base: bigint | null
    /** Null where the bill has no wallet's number beside the vendor's. */
    wallet_payment_id: string | null
    state_text: string
    at: Date | null
  }
  reconciliation: {
    merchant_id: MerchantId
    id: ReconciliationId
    vendor_merchant_id: VendorMerchantId
    channel: string
    business_date: Day
    version: bigint
    bill_id: BillId
    lines: bigint
    matched: bigint
    our_amount: bigint
    their_amount: bigint
    created_at: Stamp
  }
  discrepancy: {
    merchant_id: MerchantId
    id: DiscrepancyId
    vendor_merchant_id: VendorMerchantId
    business_date: Day
    reconciliation_id: ReconciliationId
    kind: DiscrepancyKind
    subject_kind: 'payment' | 'refund' | 'points' | 'day'
    subject: string
    our_amount: bigint | null
    their_amount: bigint | null
    evidence: Json<Stored>
    state: DiscrepancyState
    decision: string | null
    reason: string | null
    decided_by: string | null
    due_at: Date | null
    version: Generated<bigint>
    opened_at: Stamp
    resolved_at: Date | null
  }
}
