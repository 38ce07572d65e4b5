import type { EmulatedCharge } from './charge.ts'

export type RefundStatus = 'pending' | 'succeeded' | 'failed'

/** One refund in Ping++'s books. Never changed: a move replaces it. Times are unix seconds. */
export interface EmulatedRefund {
  readonly id: string
  readonly chargeId: string
  /** Fen. */
  readonly amount: number
  readonly status: RefundStatus
  readonly created: number
  readonly requestId: string
  readonly description: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly fundingSource?: string
  readonly timeSucceed?: number
  readonly transactionNumber?: string
  readonly failureCode?: string
}

const FAILURE_MESSAGE = '渠道拒绝退款'

/** The refund object of dossier 3. */
export function refundObject(
  { body }: EmulatedCharge,
  refund: EmulatedRefund,
): Readonly<Record<string, unknown>> {
  const { failureCode, fundingSource } = refund
  return {
    id: refund.id,
    object: 'refund',
    order_no: refund.id.replace(/^re_/, ''),
    amount: refund.amount,
    created: refund.created,
    succeed: refund.status === 'succeeded',
    status: refund.status,
    time_succeed: refund.timeSucceed ?? null,
    description: refund.description,
    failure_code: failureCode ?? null,
    failure_msg: failureCode === undefined ? null : FAILURE_MESSAGE,
    metadata: refund.metadata,
    charge: refund.chargeId,
    charge_order_no: body.order_no,
    transaction_no: refund.transactionNumber ?? null,
    ...(fundingSource !== undefined && { funding_source: fundingSource }),
    extra: {},
    app: body.app.id,
    currency: body.currency,
  }
}
