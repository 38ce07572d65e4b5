import { unreachable } from '#domain/assert'
import { mintVerified } from '#domain/notification'
import type { NotificationFacts } from '#domain/notification'
import type {
  Answer,
  CallbackReading,
  RawCallback,
  RejectionReason,
  ReturnFields,
  ReturnReading,
} from '../channel.ts'
import { sha256Hex, utf8 } from '../crypto.ts'
import { decodeText, readForm } from '../form.ts'
import type { Charset, FormField } from '../form.ts'
import { noteWanted } from './call.ts'
import type { Context } from './call.ts'
import type { VendorKey } from './key.ts'
import { checkFields } from './signature.ts'
import { eventKeyOf, readNotice } from './wire.ts'
import { readRefundNotice } from './wire-refund.ts'

/** A notification holds about thirty fields, of which the lists of vouchers are the longest. */
const FORM_LIMITS = { bytesMax: 131_072, fieldsMax: 200 }
const EVENT_KEY_CHARACTERS_MAX = 300
/** Every notification and every message has one of them (dossier, sections 4.3 and 4.9). */
const KIND_FIELDS = new Set(['notify_type', 'msg_method'])

/**
 * Verifies and reads a callback: payment rules, section 2, checks 3 to 8.
 *
 * What is not genuine is rejected. What is genuine and cannot be understood is verified news for a person.
 * The one address takes notifications of payments and refunds, and messages of the application gateway.
 */
export async function readCallback(
  context: Context,
  callback: RawCallback,
): Promise<CallbackReading> {
  const contentType = callback.headers['content-type'] ?? ''
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType)) {
    return rejected('content_type', 'expected application/x-www-form-urlencoded')
  }
  const form = readForm(callback.body, FORM_LIMITS)
  if (form.kind === 'unreadable') return rejected('body_malformed', form.problem)
  // What a customer's browser brings back is signed by the same rule. It is no notification, and an empty field,
  // which no signature covers, does not make it one.
  if (!form.fields.some(([name, value]) => KIND_FIELDS.has(name) && value.length > 0)) {
    return rejected('field_missing', 'expected notify_type or msg_method')
  }
  const check = checkFields((digest) => findKeys(context, digest), form.fields)
  if (check.kind === 'invalid') return rejected(check.reason, check.explanation)
  const { eventKey, facts } = readFields(form.fields)
  return {
    kind: 'verified',
    notification: mintVerified({
      eventKey:
        eventKey !== undefined && eventKey.length <= EVENT_KEY_CHARACTERS_MAX
          ? eventKey
          : // Nothing better names an event that cannot be read; a repeat may be another row.
            `sha:${await sha256Hex(callback.body)}`,
      keySerial: check.serial,
      facts,
    }),
  }
}

/** The keys that may have signed; a certificate that we do not have is asked for in the background. */
function findKeys(context: Context, digest: string | undefined): readonly VendorKey[] {
  const { keyring, settings } = context
  if (settings.key_mode === 'public_key' || digest === undefined) return keyring.verifying()
  const keys = keyring.verifying(digest)
  if (keys.length === 0) noteWanted(context, digest)
  return keys
}

interface Read {
  readonly eventKey: string | undefined
  readonly facts: NotificationFacts
}

/** The declared charset is a signed field, so it is believed, and nothing but it (dossier, section 4.2). */
function readFields(fields: readonly FormField[]): Read {
  const declared = fields.find(([name]) => name === 'charset')?.[1]
  const charset = declared === undefined ? 'utf-8' : charsetOf(Buffer.from(declared).toString())
  if (charset === undefined) return unreadable('the charset is neither UTF-8 nor GBK')
  const values: Record<string, string> = Object.create(null)
  for (const [name, bytes] of fields) {
    const text = decodeText(bytes, charset)
    if (text === undefined) return unreadable(`${name} is not ${charset}`)
    // An empty field says nothing, whether the vendor signs it or not.
    if (text !== '') values[name] = text
  }
  return { eventKey: eventKeyOf(values), facts: readRefundNotice(values) ?? readNotice(values) }
}

const unreadable = (reason: string): Read => ({
  eventKey: undefined,
  facts: { kind: 'unreadable', reason },
})

const CHARSETS: Readonly<Record<string, Charset>> = {
  'UTF-8': 'utf-8',
  UTF8: 'utf-8',
  GBK: 'gbk',
  GB2312: 'gbk',
  GB18030: 'gbk',
}

const charsetOf = (name: string): Charset | undefined =>
  Object.hasOwn(CHARSETS, name.toUpperCase()) ? CHARSETS[name.toUpperCase()] : undefined

const rejected = (reason: RejectionReason, explanation: string): CallbackReading => ({
  kind: 'rejected',
  reason,
  explanation,
})

/**
 * Verifies what a customer's browser brings back (dossier, section 2.7).
 *
 * It carries no state: the buyer came back, and that is all. We order in UTF-8, so it is UTF-8.
 */
export function readReturn(context: Context, fields: ReturnFields): ReturnReading {
  const values = new Map(fields)
  if (charsetOf(values.get('charset') ?? 'utf-8') !== 'utf-8') return unverified('not UTF-8')
  const raw = fields.map(([name, value]): FormField => [
    Buffer.from(name, 'utf8').toString('latin1'),
    utf8(value),
  ])
  const check = checkFields((digest) => findKeys(context, digest), raw)
  if (check.kind === 'invalid') return unverified(`${check.reason}: ${check.explanation}`)
  return judgeReturn(context, values)
}

function judgeReturn(context: Context, values: ReadonlyMap<string, string>): ReturnReading {
  const { app_id, seller_id } = context.settings
  if (values.get('app_id') !== app_id) return unverified('another app')
  if ((values.get('seller_id') ?? seller_id) !== seller_id) return unverified('another seller')
  if (!values.get('method')?.endsWith('.return')) return unverified('not a return')
  const paymentNumber = values.get('out_trade_no') ?? ''
  return paymentNumber === '' ? unverified('no out_trade_no') : { kind: 'verified', paymentNumber }
}

const unverified = (explanation: string): ReturnReading => ({ kind: 'unverified', explanation })

const SUCCESS = 'success'
const FAIL = 'fail'

/** Alipay dossier, section 4.5: seven bytes and nothing else. Payment rules, section 1: `fail` is a 200. */
export function acknowledge(answer: Answer): Response {
  switch (answer) {
    case 'stored':
      return respond(200, SUCCESS)
    case 'refused':
    case 'rejected':
      return respond(200, FAIL)
    case 'unavailable':
      return respond(503, FAIL)
    default:
      return unreachable(answer)
  }
}

const respond = (status: number, body: string): Response =>
  new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
