import { unreachable } from '#domain/assert'
import { mintVerified } from '#domain/notification'
import type { NotificationContent, NotificationFacts } from '#domain/notification'
import type { Clock } from '#domain/time'
import type { Answer, CallbackReading, RawCallback, RejectionReason } from '../channel.ts'
import { sha256Hex } from '../crypto.ts'
import type { Keyring } from './key.ts'
import { checkSignature } from './signature.ts'
import { openField, parseEnvelope, parseOther, parsePayment, parseRefund } from './wire.ts'

/** WeChat Pay dossier, section 4.2: the only event that is about a payment's result. */
const PAYMENT_EVENT = 'TRANSACTION.SUCCESS'
/** WeChat Pay dossier, section 5.6. */
const REFUND_EVENT = /^REFUND\./

/**
 * Verifies and reads a callback: payment rules, section 2, checks 3 to 8.
 *
 * What is not genuine is rejected. What is genuine and cannot be understood is verified news for a person.
 * Refunds in the old XML format, which are not signed, end at the content type.
 */
export async function readCallback(
  keyring: Keyring,
  clock: Clock,
  callback: RawCallback,
): Promise<CallbackReading> {
  const contentType = callback.headers['content-type'] ?? ''
  if (!/^application\/json\s*(?:;|$)/i.test(contentType)) {
    return rejected('content_type', 'expected application/json')
  }
  const check = checkSignature((serial) => keyring.verifying(serial), clock, callback)
  if (check.kind === 'invalid') return rejected(check.reason, check.explanation)
  const envelope = parseEnvelope(callback.body)
  if (envelope === undefined) {
    return verified({
      // Nothing better names an event that cannot be read; a repeat may be another row, and is harmless.
      eventKey: `sha:${await sha256Hex(callback.body)}`,
      keySerial: check.serial,
      facts: { kind: 'unreadable', reason: 'the envelope is not the documented one' },
    })
  }
  const plain = openField(keyring.symmetric(), envelope.sealed)
  if (plain === undefined) {
    return rejected('decrypt_failed', `no APIv3 key opens event ${envelope.id}`)
  }
  return verified({
    eventKey: `evt:${envelope.id}`,
    keySerial: check.serial,
    facts: readFacts(envelope.eventType, plain),
  })
}

function readFacts(eventType: string, plain: Uint8Array): NotificationFacts {
  const isRefund = REFUND_EVENT.test(eventType)
  if (eventType !== PAYMENT_EVENT && !isRefund) return parseOther(eventType, plain)
  const facts = isRefund ? parseRefund(plain, 'refund_status', {}) : parsePayment(plain)
  return facts ?? { kind: 'unreadable', reason: 'the object is not the documented one' }
}

const verified = (content: NotificationContent): CallbackReading => ({
  kind: 'verified',
  notification: mintVerified(content),
})

const rejected = (reason: RejectionReason, explanation: string): CallbackReading => ({
  kind: 'rejected',
  reason,
  explanation,
})

const SUCCESS = '{"code":"SUCCESS","message":"成功"}'
const FAIL = '{"code":"FAIL","message":"失败"}'

/**
 * WeChat Pay dossier, section 4.4: the status decides, so a failure never carries 200.
 *
 * Payment rules, section 1: what was not verified gets 401.
 */
export function acknowledge(answer: Answer): Response {
  switch (answer) {
    case 'stored':
      return respond(200, SUCCESS)
    case 'refused':
      return respond(400, FAIL)
    case 'rejected':
      return respond(401, FAIL)
    case 'unavailable':
      return respond(503, FAIL)
    default:
      return unreachable(answer)
  }
}

const respond = (status: number, body: string): Response =>
  new Response(body, { status, headers: { 'content-type': 'application/json' } })
