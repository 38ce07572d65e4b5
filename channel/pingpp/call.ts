import { z } from 'zod'
import { unixSeconds } from '#domain/time'
import { utf8 } from '../crypto.ts'
import { sendHttp } from '../http.ts'
import type { Answered, HttpOutcome, NoAnswerCause, RecordExchange } from '../http.ts'
import { parseJson } from '../json.ts'
import type { ChannelDeps } from '../registry.ts'
import type { Keyring } from './key.ts'
import type { Settings } from './settings.ts'
import { SIGNATURE_HEADER, checkSignature, signRequest } from './signature.ts'

/** What every part of this channel works with. */
export interface Context {
  readonly deps: ChannelDeps
  readonly settings: Settings
  readonly keyring: Keyring
}

/**
 * A call that may be repeated unchanged, as our number guards a creation (Ping++ dossier, section 1); all but a
 * refund, which has no number of ours at the vendor.
 */
export interface VendorCall {
  readonly kind: 'create' | 'query' | 'refund' | 'refund_query' | 'bill'
  readonly method: 'GET' | 'POST'
  /** Path and encoded query, exactly as signed and sent. */
  readonly target: string
  readonly body?: string
}

export interface VendorError {
  readonly type: string
  /** The vendor's `code`, or its `type` where there is none. */
  readonly code: string
  readonly message: string
  readonly parameter: string
}

/** `refusal` is the vendor's documented error with a status from 400 to 499, except 403 and 429. */
export type VendorAnswer =
  | {
      readonly kind: 'done'
      readonly body: Uint8Array
      /** The vendor's, over the body and already verified; empty where it is not required and not there. */
      readonly signature: string
    }
  | {
      readonly kind: 'refusal'
      readonly status: number
      readonly error: VendorError
      readonly isSigned: boolean
    }
  | { readonly kind: 'unknown'; readonly cause: string }

/** Long, because the vendor asks the wallet before it answers; its own clients wait up to 80 s. */
const TIMEOUT_MS = 20_000
const RESPONSE_BYTES_MAX = 1_048_576
/** Ping++ dossier, section 1: every client of the vendor repeats a 502 once. */
const BAD_GATEWAY = 502
const ATTEMPTS_MAX = 2
/** Ping++ dossier, section 5: the plan's concurrency, and a limit of rate. Whoever asks again asks later. */
const BACK_OFF_STATUSES = new Set([403, 429])
/** A refund may not be repeated; a page of a list is, by who reads it and with pauses (`read-again.ts`). */
const ONCE: ReadonlySet<VendorCall['kind']> = new Set(['refund', 'bill'])
const PASSING: ReadonlySet<string> = new Set<NoAnswerCause>(['connection', 'cut', 'timeout'])
const PASSING_STATUS = /^status (?:5\d\d|403|429)$/
const USER_AGENT = 'pingzhang/0.1'

/**
 * Calls the vendor; a 502 is repeated once with the same body, anything else is not (a page of a bill by its reader).
 *
 * A refund is sent once whatever is answered: the second call would be a second refund (payment rules, 5).
 */
export async function callVendor(
  context: Context,
  call: VendorCall,
  record: RecordExchange,
): Promise<VendorAnswer> {
  let outcome: HttpOutcome = { kind: 'no_answer', cause: 'connection' }
  const attemptsMax = ONCE.has(call.kind) ? 1 : ATTEMPTS_MAX
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    outcome = await sendSigned(context, call, record)
    if (outcome.kind !== 'answered' || outcome.status !== BAD_GATEWAY) break
  }
  return outcome.kind === 'answered'
    ? believe(context, outcome)
    : { kind: 'unknown', cause: outcome.cause }
}

/** Trouble on the way or at the vendor that may be over in a moment; never an answer that is not its own. */
export const isPassing = (answer: VendorAnswer): boolean =>
  answer.kind === 'unknown' && (PASSING.has(answer.cause) || PASSING_STATUS.test(answer.cause))

async function believe(context: Context, answered: Answered): Promise<VendorAnswer> {
  const { status, body } = answered
  if (!(await isGenuine(context, answered))) {
    return { kind: 'unknown', cause: 'the answer is not signed by the vendor' }
  }
  if (status >= 200 && status < 300) {
    return { kind: 'done', body, signature: answered.headers[SIGNATURE_HEADER] ?? '' }
  }
  const isRefusal = status >= 400 && status < 500 && !BACK_OFF_STATUSES.has(status)
  const error = isRefusal ? parseVendorError(body) : undefined
  return error === undefined
    ? { kind: 'unknown', cause: `status ${status}` }
    : { kind: 'refusal', status, error, isSigned: answered.headers[SIGNATURE_HEADER] !== undefined }
}

/** Ping++ dossier, section 1.2. What is signed must verify; whether errors are is not documented. */
async function isGenuine(context: Context, answered: Answered): Promise<boolean> {
  const isSuccess = answered.status >= 200 && answered.status < 300
  if (answered.headers[SIGNATURE_HEADER] === undefined) {
    return !isSuccess || context.settings.answer_signature === 'where_present'
  }
  return (await checkSignature(context.keyring.verifying(), answered)).kind === 'valid'
}

async function sendSigned(
  context: Context,
  call: VendorCall,
  record: RecordExchange,
): Promise<HttpOutcome> {
  const { clock, fetch, localHosts, timeoutMs = TIMEOUT_MS } = context.deps
  const options = {
    clock,
    fetch,
    localHosts,
    record,
    timeoutMs,
    responseBytesMax: RESPONSE_BYTES_MAX,
  }
  return sendHttp(options, {
    kind: call.kind,
    method: call.method,
    url: context.settings.base_url + call.target,
    headers: await headersOf(context, call),
    ...(call.body === undefined ? {} : { body: utf8(call.body) }),
  })
}

/** Ping++ dossier, section 1. Every attempt is signed afresh, so its time is its own. */
async function headersOf(context: Context, call: VendorCall): Promise<Record<string, string>> {
  const { deps, keyring } = context
  const signed = await signRequest(await keyring.signer(), {
    target: call.target,
    timestamp: String(unixSeconds(deps.clock.now())),
    body: call.body ?? '',
  })
  return {
    // The secret is the user's name, and there is no password.
    authorization: `Basic ${Buffer.from(`${keyring.apiSecret()}:`).toString('base64')}`,
    accept: 'application/json',
    'user-agent': USER_AGENT,
    ...(call.body === undefined ? {} : { 'content-type': 'application/json; charset=UTF-8' }),
    ...signed,
  }
}

/** Ping++ dossier, section 5. */
const errorSchema = z.object({
  error: z.object({
    type: z.string().min(1),
    message: z.string().nullish(),
    code: z.string().nullish(),
    param: z.string().nullish(),
  }),
})

/** The vendor's refusal; `undefined` for pages of a proxy and empty bodies. */
function parseVendorError(bytes: Uint8Array): VendorError | undefined {
  const error = errorSchema.safeParse(parseJson(bytes)).data?.error
  return (
    error && {
      type: error.type,
      code: error.code ?? error.type,
      message: error.message ?? '',
      parameter: error.param ?? '',
    }
  )
}
