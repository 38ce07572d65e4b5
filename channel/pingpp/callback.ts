import { z } from 'zod'
import { unreachable } from '#domain/assert'
import { mintVerified } from '#domain/notification'
import type { NotificationContent, NotificationFacts, OtherFacts } from '#domain/notification'
import type { Answer, CallbackReading, RawCallback, RejectionReason } from '../channel.ts'
import { sha256Hex } from '../crypto.ts'
import { parseJson } from '../json.ts'
import type { Keyring } from './key.ts'
import type { Mode } from './settings.ts'
import { checkSignature } from './signature.ts'
import { readPayment, readRefundedNumber } from './wire.ts'

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
  return verified({ eventKey, keySerial: check.serial, facts: readFacts(event) })
}

/** The object says it once more, and either of them is enough to refuse it. */
function isOfOtherMode(event: VendorEvent, mode: Mode): boolean {
  const isLive = mode === 'live'
  const stated = [event.livemode ?? isLive, readPayment(event.data?.object)?.isLive ?? isLive]
  return stated.some((value) => value !== isLive)
}

function readFacts(event: VendorEvent): NotificationFacts {
  const facts = readPayment(event.data?.object)?.facts
  if (event.type !== PAYMENT_EVENT) return readOther(event, facts?.paymentNumber)
  return facts ?? { kind: 'unreadable', reason: 'the charge object is not the documented one' }
}

function readOther(event: VendorEvent, ownNumber: string | undefined): OtherFacts {
  const number = ownNumber ?? readRefundedNumber(event.data?.object)
  return {
    kind: 'other',
    eventType: event.type,
    ...(number === undefined ? {} : { paymentNumber: number }),
  }
}

/** Payment rules, section 2. Without an id the raw body is the event, as a repeat is the same bytes. */
const eventKeyOf = async (event: VendorEvent | undefined, body: Uint8Array): Promise<string> =>
  event?.id === undefined ? `sha:${await sha256Hex(body)}` : `evt:${event.id}`

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
