import { unixSeconds } from '#domain/time'
import type { ChannelDeps } from '../registry.ts'
import { utf8 } from '../crypto.ts'
import { sendHttp } from '../http.ts'
import type { Answered, ExchangeKind, HttpOutcome, NoAnswerCause, RecordExchange } from '../http.ts'
import type { Keyring } from './key.ts'
import { hostsOf } from './settings.ts'
import type { Settings } from './settings.ts'
import { authorize, checkSignature } from './signature.ts'
import { parseVendorError } from './wire.ts'

/** What every part of this channel works with. */
export interface Context {
  readonly deps: ChannelDeps
  readonly settings: Settings
  readonly keyring: Keyring
}

/** A call that may be repeated unchanged: all of payments and refunds are (WeChat Pay dossier, section 1.14). */
export interface VendorCall {
  readonly kind: ExchangeKind
  readonly method: 'GET' | 'POST'
  /** Path and query, exactly as signed and sent. */
  readonly target: string
  readonly body?: string
}

/** `refusal` is the vendor's documented error and any status from 400 to 499, 429 included. */
export type VendorAnswer =
  | { readonly kind: 'done'; readonly status: number; readonly body: Uint8Array }
  | {
      readonly kind: 'refusal'
      readonly status: number
      readonly code: string
      readonly message: string
      /** The vendor's own error number, the end of `Request-ID` (dossier, section 1.12). */
      readonly errorNumber: string
      /** Whether the vendor signed it, and it verified. */
      readonly isSigned: boolean
    }
  | { readonly kind: 'unknown'; readonly cause: string }

/** WeChat Pay dossier, section 1.1: the vendor's SDK waits 10 s. */
const TIMEOUT_MS = 10_000
export const RESPONSE_BYTES_MAX = 1_048_576
/** The first answer may be a probe; the repeat is not (dossier, section 1.9). */
const ATTEMPTS_MAX = 2
const USER_AGENT = 'pingzhang/0.1'

/**
 * Calls the vendor and believes only what it signed; an answer that does not verify is asked for once more.
 *
 * A refund is not: its query comes first, and its repeat a minute later (dossier, sections 1.14 and 5.2).
 */
export async function callVendor(
  context: Context,
  call: VendorCall,
  record: RecordExchange,
): Promise<VendorAnswer> {
  let answer: VendorAnswer | undefined
  const attemptsMax = call.kind === 'refund' ? 1 : ATTEMPTS_MAX
  for (let attempt = 0; attempt < attemptsMax && answer === undefined; attempt += 1) {
    const outcome = await sendSigned(context, call, record)
    answer =
      outcome.kind === 'answered'
        ? believe(context, outcome)
        : { kind: 'unknown', cause: outcome.cause }
  }
  return answer ?? { kind: 'unknown', cause: 'the answer is not signed by the vendor' }
}

/** `undefined` when the answer does not verify. */
function believe(context: Context, answered: Answered): VendorAnswer | undefined {
  const { status, body, headers } = answered
  if (!isGenuine(context, answered)) return undefined
  if (status >= 200 && status < 300) return { kind: 'done', status, body }
  const error = status >= 400 && status < 500 ? parseVendorError(body) : undefined
  if (error === undefined) return { kind: 'unknown', cause: `status ${status}` }
  return {
    kind: 'refusal',
    status,
    ...error,
    errorNumber: /\d+$/.exec(headers['request-id'] ?? '')?.[0] ?? '',
    isSigned: isProven(answered),
  }
}

/**
 * WeChat Pay dossier, section 1.5: every 2xx is signed; errors may be, and those about our own
 * authentication never are, so that the reason is not hidden behind "signature failed".
 */
function isGenuine(context: Context, answered: Answered): boolean {
  const isSuccess = answered.status >= 200 && answered.status < 300
  if (!isSuccess && !isProven(answered)) return true
  const findKey = (serial: string) => context.keyring.verifying(serial)
  return checkSignature(findKey, context.deps.clock, answered).kind === 'valid'
}

/** Whether there is a signature that must verify. */
const isProven = ({ status, headers }: Answered): boolean =>
  status !== 401 && headers['wechatpay-signature'] !== undefined

/**
 * Signs and sends, without looking at the answer. Goes to the next host when a connection failed, never after
 * a status or a time-out (dossier, section 1.1).
 */
export async function sendSigned(
  context: Context,
  call: VendorCall,
  record: RecordExchange,
): Promise<HttpOutcome> {
  let outcome: HttpOutcome = { kind: 'no_answer', cause: 'connection' }
  for (const host of hostsOf(context.settings)) {
    outcome = await sendTo(context, host, call, record)
    if (outcome.kind === 'answered' || !mayGoOn(call, outcome.cause)) return outcome
  }
  return outcome
}

/**
 * After a cut the first host may have acted. That does no harm where the same call may be repeated at once; a
 * refund is asked about before (dossier, section 1.14).
 */
const mayGoOn = ({ kind }: VendorCall, cause: NoAnswerCause): boolean =>
  cause === 'connection' || (cause === 'cut' && kind !== 'refund')

async function sendTo(
  context: Context,
  host: string,
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
    url: host + call.target,
    headers: await headersOf(context, call),
    ...(call.body === undefined ? {} : { body: utf8(call.body) }),
  })
}

/** WeChat Pay dossier, section 1.3. A fresh time and nonce for every attempt. */
export async function headersOf(
  context: Context,
  call: VendorCall,
): Promise<Record<string, string>> {
  const { deps, settings, keyring } = context
  const publicKeyId = settings.key_mode === 'public_key' ? keyring.publicKeyId() : undefined
  return {
    authorization: await authorize(settings.mchid, await keyring.signer(), {
      method: call.method,
      target: call.target,
      timestamp: String(unixSeconds(deps.clock.now())),
      nonce: deps.newNonce(),
      body: call.body ?? '',
    }),
    accept: 'application/json',
    'user-agent': USER_AGENT,
    ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(publicKeyId === undefined ? {} : { 'wechatpay-serial': publicKeyId }),
  }
}
