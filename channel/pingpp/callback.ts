import { z } from 'zod'
import { unreachable } from '#domain/assert'
import { summaryKey } from '#domain/daily-summary'
import { mintVerified } from '#domain/notification'
import type {
  NotificationContent,
  NotificationFacts,
  OtherFacts,
  RefundFacts,
} from '#domain/notification'
import type { Answer, CallbackReading, RawCallback, RejectionReason } from '../channel.ts'
import { sha256Hex } from '../crypto.ts'
import { parseJson } from '../json.ts'
import type { Keyring } from './key.ts'
import type { Mode } from './settings.ts'
import { checkSignature } from './signature.ts'
import { readSummary } from './wire-bill.ts'
import { readRefund } from './wire-refund.ts'
import { readPayment } from './wire.ts'

/** Ping++ dossier, section 4.1. */
const eventSchema = z.object({
  // Absent in one of the vendor's samples.
  id: z.string().min(1).max(64).optional().catch(undefined),
  type: z.string().min(1).max(64),
  livemode: z.boolean().nullish(),
  data: z.object({ object: z.unknown().optional() }).nullish(),
})

type VendorEvent = z.infer<typeof eventSchema>

/** Ping++ dossier, section 4.1: the only event that is about the result of a payment as we make them. */
const PAYMENT_EVENT = 'charge.succeeded'
const REFUND_SUCCEEDED = 'refund.succeeded'
const REFUND_FAILED = 'refund.failed'
/** Ping++ dossier, section 4.1: what was paid on the day before, told at about 04:00. */
const SUMMARY_EVENT = 'summary.daily.available'

/**
 * Verifies and reads a callback: payment rules, section 2, checks 3 to 8.
 *
 * What is not genuine is rejected, and so is genuine news of the other mode: one key signs both, and money
 * of a test must not pay a live order. What is genuine and cannot be understood is news for a person.
 */
export async function readCallback(
  keyring: Keyring,
  mode: Mode,
  callback: RawCallback,
): Promise<CallbackReading> {
  const contentType = callback.headers['content-type'] ?? ''
  if (!/^application\/json\s*(?:;|$)/i.test(contentType)) {
    return rejected('content_type', 'expected application/json')
  }
  const check = await checkSignature(keyring.verifying(), callback)
  if (check.kind === 'invalid') return rejected(check.reason, check.explanation)
  const event = eventSchema.safeParse(parseJson(callback.body)).data
  const eventKey = await eventKeyOf(event, callback.body)
  if (event === undefined) {
    const reason = 'the event is not the documented one'
    return verified({ eventKey, keySerial: check.serial, facts: { kind: 'unreadable', reason } })
  }
  if (isOfOtherMode(event, mode)) {
    return rejected('wrong_mode', `the account is ${mode}, ${eventKey} is not`)
  }
  const facts = readFacts(event)
  return verified({ eventKey: keyOf(facts) ?? eventKey, keySerial: check.serial, facts })
}

/** The object says it once more, and either of them is enough to refuse it. */
function isOfOtherMode(event: VendorEvent, mode: Mode): boolean {
  const isLive = mode === 'live'
  const stated = [event.livemode ?? isLive, readPayment(event.data?.object)?.isLive ?? isLive]
  return stated.some((value) => value !== isLive)
}

function readFacts({ type, data }: VendorEvent): NotificationFacts {
  switch (type) {
    case PAYMENT_EVENT:
      return readPayment(data?.object)?.facts ?? unreadable('the charge object')
    case REFUND_SUCCEEDED:
    case REFUND_FAILED:
      return readRefundNews(type, data?.object) ?? unreadable('the refund object')
    default:
      return readOther(type, data?.object)
  }
}

const unreadable = (what: string): NotificationFacts => ({
  kind: 'unreadable',
  reason: `${what} is not the documented one`,
})

/** `undefined` also for a refund that does not say what its event says: a person must look at it. */
function readRefundNews(type: string, object: unknown): RefundFacts | undefined {
  const facts = readRefund(object)?.facts
  if (facts === undefined || facts.refundState === 'unknown') return facts
  return (facts.refundState === 'succeeded') === (type === REFUND_SUCCEEDED) ? facts : undefined
}

/** `charge.refunded` says nothing, so of other news only the number is taken (dossier, checklist 34). */
function readOther(eventType: string, object: unknown): OtherFacts {
  const number = readPayment(object)?.facts.paymentNumber ?? readRefund(object)?.facts.paymentNumber
  const summary = eventType === SUMMARY_EVENT ? readSummary(object) : undefined
  return {
    kind: 'other',
    eventType,
    ...(number === undefined ? {} : { paymentNumber: number }),
    ...(summary === undefined ? {} : { summary }),
  }
}

/** Payment rules, section 2. Without an id the raw body is the event, as a repeat is the same bytes. */
const eventKeyOf = async (event: VendorEvent | undefined, body: Uint8Array): Promise<string> =>
  event?.id === undefined ? `sha:${await sha256Hex(body)}` : `evt:${event.id}`

/** There is one summary of a day, whatever the number of its events. */
const keyOf = (facts: NotificationFacts): string | undefined =>
  facts.kind === 'other' && facts.summary !== undefined
    ? summaryKey(facts.summary.number, facts.summary.businessDate)
    : undefined

const verified = (content: NotificationContent): CallbackReading => ({
  kind: 'verified',
  notification: mintVerified(content),
})

const rejected = (reason: RejectionReason, explanation: string): CallbackReading => ({
  kind: 'rejected',
  reason,
  explanation,
})

/** Ping++ dossier, section 4.2: any 2xx ends the repeats, and the body is not read. */
export function acknowledge(answer: Answer): Response {
  switch (answer) {
    case 'stored':
      return respond(200, 'success')
    case 'refused':
      return respond(500, 'fail')
    case 'rejected':
      return respond(401, 'fail')
    case 'unavailable':
      return respond(503, 'fail')
    default:
      return unreachable(answer)
  }
}

const respond = (status: number, body: string): Response =>
  new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
