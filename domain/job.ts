import type {
  DeliveryId,
  DiscrepancyId,
  MerchantId,
  NotificationId,
  PaymentId,
  PointsGrantId,
  RefundId,
  RunId,
} from './id.ts'

/** Every payload names one merchant and ids; a job reads the rows again. */
export interface OrderStatusJob {
  readonly merchantId: MerchantId
  readonly notificationIds: readonly NotificationId[]
}

export interface PointsAwardJob {
  readonly merchantId: MerchantId
  readonly grantId: PointsGrantId
}

/** The second consumer of both messages: proves that what had to happen has happened. */
export interface CompensationJob {
  readonly merchantId: MerchantId
  readonly notificationIds?: readonly NotificationId[]
  readonly paymentIds?: readonly PaymentId[]
  readonly grantIds?: readonly PointsGrantId[]
  readonly refundIds?: readonly RefundId[]
  readonly deliveryIds?: readonly DeliveryId[]
}

export interface PaymentQueryJob {
  readonly merchantId: MerchantId
  readonly paymentId: PaymentId
}

export interface RefundJob {
  readonly merchantId: MerchantId
  readonly refundId: RefundId
}

export interface MerchantEventJob {
  readonly merchantId: MerchantId
  readonly deliveryId: DeliveryId
}

/** The form in which runs of fund bills came: before, a run was of a transaction bill or of points. */
export const FUND_RUN_VERSION = 2

export interface RunJob {
  readonly merchantId: MerchantId
  readonly runId: RunId
  readonly version?: typeof FUND_RUN_VERSION
}

export interface DiscrepancyJob {
  readonly merchantId: MerchantId
  readonly discrepancyId: DiscrepancyId
}

export interface JobByQueue {
  readonly 'order-status': OrderStatusJob
  readonly 'points-award': PointsAwardJob
  readonly compensation: CompensationJob
  readonly 'payment-query': PaymentQueryJob
  readonly 'payment-close': PaymentQueryJob
  readonly 'refund-submit': RefundJob
  readonly 'refund-query': RefundJob
  readonly 'merchant-event': MerchantEventJob
  readonly 'bill-download': RunJob
  readonly reconcile: RunJob
  readonly 'discrepancy-resolve': DiscrepancyJob
}

export type QueueName = keyof JobByQueue

export const QUEUE_NAMES: readonly QueueName[] = [
  'order-status',
  'points-award',
  'compensation',
  'payment-query',
  'payment-close',
  'refund-submit',
  'refund-query',
  'merchant-event',
  'bill-download',
  'reconcile',
  'discrepancy-resolve',
]

/**
 * The newest form of payloads that this version understands. One without a `version` is of the first form.
 *
 * Whoever changes a form in a way that this version would misread raises the number and writes it into the
 * payload: a worker that is still of the old version then leaves the job to one of the new.
 */
export const JOB_VERSION = 2

/** Every queue has its own dead-letter queue. */
export const deadLetterOf = (queue: QueueName): string => `${queue}-dead`
