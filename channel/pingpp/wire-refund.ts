import { jsonMinor, parseMinor } from '#domain/money'
import type { RefundFacts, VendorRefundState } from '#domain/notification'
import { z } from 'zod'
import type { RefundRequest } from '../channel.ts'
import { parseJson } from '../json.ts'
import { readMoment, readPage } from './wire.ts'
import type { Page } from './wire.ts'

/** Ping++ dossier, section 3: the refund object of answers, lists and events. */
const refundSchema = z.object({
  object: z.literal('refund'),
  id: z.string().min(1).max(64),
  charge: z.string().min(1),
  charge_order_no: z.string().min(1),
  status: z.string().min(1),
  succeed: z.boolean().nullish(),
  failure_code: z.string().nullish(),
  amount: z.unknown().optional(),
  // Older payloads have neither of these two.
  currency: z.string().nullish(),
  app: z.string().nullish(),
  time_succeed: z.unknown().optional(),
  metadata: z.unknown().optional(),
})

/** Where our refund number travels: the vendor has no field for it (Ping++ dossier, section 3). */
const OWN_NUMBER = 'pingzhang_refund'
const metadataSchema = z.object({ [OWN_NUMBER]: z.string().min(1) })

/** `undefined` for a refund that somebody else made, such as one made at the vendor's console. */
const ownNumberIn = (metadata: unknown): string | undefined =>
  metadataSchema.safeParse(metadata).data?.[OWN_NUMBER]

/** Writes the body of a refund. The amount is always there: without it the vendor gives back all. */
export const writeRefund = (refund: RefundRequest): string =>
  JSON.stringify({
    amount: jsonMinor(refund.amount.minor),
    description: refund.reason,
    metadata: { [OWN_NUMBER]: refund.refundId },
  })

/** Ping++ dossier, section 3. What is not here goes to a person: given free, its amount could be paid twice. */
const FAILURES: ReadonlyMap<string, VendorRefundState> = new Map([
  ['refund_refused', 'refused'],
  ['refund_refused_msg', 'refused'],
  ['refund_failed', 'refused'],
  // "Create a new refund": an operator may, under a new number.
  ['refund_retry', 'refused'],
  ['refund_pending', 'accepted'],
])
/** The merchant's password is wanted at the wallet, or the money must go another way: a person's work. */
const PERSON_CODES = new Set(['refund_wait_operation', 'refund_manual_intervention'])

/** What a refund's words mean for money (payment rules, sections 3 and 5). */
function refundStateOf(refund: z.infer<typeof refundSchema>): VendorRefundState {
  const { status, succeed, failure_code: code } = refund
  const isDone = status === 'succeeded'
  if ((succeed ?? isDone) !== isDone) return 'unknown'
  switch (status) {
    case 'succeeded':
      return 'succeeded'
    case 'pending':
      return PERSON_CODES.has(code ?? '') ? 'abnormal' : 'accepted'
    case 'failed':
      return code ? (FAILURES.get(code) ?? 'abnormal') : 'refused'
    default:
      return 'unknown'
  }
}

/** A refund as the vendor holds it. */
export interface VendorRefund {
  /** The vendor's number of the payment. */
  readonly channelPaymentId: string
  readonly facts: RefundFacts
}

/** Reads a refund object; `undefined` when it is none. */
export function readRefund(value: unknown): VendorRefund | undefined {
  const refund = refundSchema.safeParse(value).data
  if (refund === undefined) return undefined
  const refundNumber = ownNumberIn(refund.metadata)
  const amountMinor = parseMinor(refund.amount)
  const refundedAt = readMoment(refund.time_succeed)
  return {
    channelPaymentId: refund.charge,
    facts: {
      kind: 'refund',
      paymentNumber: refund.charge_order_no,
      identity: refund.app ? { app: refund.app } : {},
      refundState: refundStateOf(refund),
      refundStateText: refund.failure_code || refund.status,
      channelRefundId: refund.id,
      ...(refundNumber === undefined ? {} : { refundNumber }),
      ...(amountMinor === undefined ? {} : { amountMinor }),
      ...(refund.currency ? { currency: refund.currency.toUpperCase() } : {}),
      ...(refundedAt === undefined ? {} : { refundedAt }),
    },
  }
}

export const parseRefund = (bytes: Uint8Array): VendorRefund | undefined =>
  readRefund(parseJson(bytes))

export const parseRefundPage = (
  bytes: Uint8Array,
  number: string,
): Page<VendorRefund> | undefined =>
  readPage(bytes, (item) => ownNumberIn(item.metadata) === number, readRefund)
