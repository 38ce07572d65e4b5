import { unreachable } from '#domain/assert'
import { mintVerified } from '#domain/notification'
import type { NotificationContent } from '#domain/notification'
import type {
  Answer,
  CallbackReading,
  RawCallback,
  RejectionReason,
  ReturnFields,
  ReturnReading,
} from '../channel.ts'
import { sha256Hex, utf8 } from '../crypto.ts'
import { readForm } from '../form.ts'
import type { FormField } from '../form.ts'
import type { Keyring } from './key.ts'
import { checkMessage } from './signature.ts'
import { parseNotice } from './wire.ts'

/** A notice has some 4 KiB: a certificate, a signature, an encrypted card number (dossier, section 3.2). */
const NOTICE_LIMITS = { bytesMax: 65_536, fieldsMax: 200 } as const

/**
 * Verifies and reads a notice: payment rules, section 2, checks 3 to 8.
 *
 * Escapes are undone once, by byte, and the signature is over those bytes (dossier, section 3.2).
 */
export async function readCallback(
  keyring: Keyring,
  callback: RawCallback,
): Promise<CallbackReading> {
  const contentType = callback.headers['content-type'] ?? ''
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType)) {
    return rejected('content_type', 'expected application/x-www-form-urlencoded')
  }
  const form = readForm(callback.body, NOTICE_LIMITS)
  if (form.kind === 'unreadable')
    return rejected('body_malformed', `cannot read the form: ${form.problem}`)
  const check = await checkMessage(keyring, form.fields)
  if (check.kind === 'invalid') return rejected(check.reason, check.explanation)
  const notice = parseNotice(check.message) ?? {
    // Nothing better names an event that cannot be read.
    eventKey: `sha:${await sha256Hex(callback.body)}`,
    facts: { kind: 'unreadable', reason: 'no notice with order, time and result' },
  }
  return verified({ ...notice, keySerial: check.certId })
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

/**
 * Verifies what the customer's browser brings back: the same signed fields (dossier, section 3.3).
 *
 * It may never come, and anybody may bring it again: it names the payment and moves nothing. The fields were
 * read as UTF-8, which is what we ask for; a return in GBK is unverified.
 */
export async function readReturn(keyring: Keyring, fields: ReturnFields): Promise<ReturnReading> {
  const bytes = fields.map(([name, value]): FormField => [
    Buffer.from(name, 'utf8').toString('latin1'),
    utf8(value),
  ])
  const check = await checkMessage(keyring, bytes)
  if (check.kind === 'invalid') {
    return { kind: 'unverified', explanation: `${check.reason}: ${check.explanation}` }
  }
  const { orderId } = check.message
  return orderId === undefined
    ? { kind: 'unverified', explanation: 'signed, and names no order' }
    : { kind: 'verified', paymentNumber: orderId }
}

/**
 * UnionPay dossier, section 3.2: only the status counts, and only 200 is surely taken.
 *
 * Five notices come and then none, so a failure answer is a loan from the query (payment rules, section 1).
 */
export function acknowledge(answer: Answer): Response {
  switch (answer) {
    case 'stored':
      return respond(200, 'ok')
    case 'refused':
    case 'rejected':
      return respond(500, 'fail')
    case 'unavailable':
      return respond(503, 'fail')
    default:
      return unreachable(answer)
  }
}

const respond = (status: number, body: string): Response =>
  new Response(body, { status, headers: { 'content-type': 'text/plain' } })
