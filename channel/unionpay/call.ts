import { utf8 } from '../crypto.ts'
import { encodeForm } from '../form.ts'
import { sendHttp } from '../http.ts'
import type { Answered, HttpRequest, RecordExchange } from '../http.ts'
import type { ChannelDeps } from '../registry.ts'
import type { Keyring } from './key.ts'
import { hostOf } from './settings.ts'
import type { Settings } from './settings.ts'
import { checkMessage, signFields } from './signature.ts'
import { parseAnswer } from './wire.ts'
import type { Fields } from './wire.ts'

/** What every part of this channel works with. */
export interface Context {
  readonly deps: ChannelDeps
  readonly settings: Settings
  readonly keyring: Keyring
}

export interface VendorCall {
  readonly kind: 'create' | 'query' | 'refund' | 'refund_query' | 'bill'
  readonly path: string
  /** The gateway, unless the vendor has another host for it. */
  readonly host?: string
  /** Without the signature. */
  readonly fields: Fields
}

/** `answered` is verified and about the order that we named; what it says is the caller's matter. */
export type VendorAnswer =
  | { readonly kind: 'answered'; readonly respCode: string; readonly message: Fields }
  | { readonly kind: 'unknown'; readonly cause: string }

/** The gateway's customer waits; the vendor's own SDK gives up after 30 s (dossier, section 1.1). */
const TIMEOUT_MS = 10_000
const RESPONSE_BYTES_MAX = 1_048_576
const USER_AGENT = 'pingzhang/0.1'

/**
 * Calls the vendor once and believes only what it signed.
 *
 * Nothing is sent twice: a repeated order is refused as a duplicate, and what became of the first is the
 * query's to say. A page of a proxy, another charset and a bad signature are as good as no answer.
 */
export async function callVendor(
  context: Context,
  call: VendorCall,
  record: RecordExchange,
): Promise<VendorAnswer> {
  const { clock, fetch, localHosts, timeoutMs = TIMEOUT_MS } = context.deps
  const options = {
    clock,
    fetch,
    localHosts,
    record,
    timeoutMs,
    responseBytesMax: RESPONSE_BYTES_MAX,
  }
  const outcome = await sendHttp(options, await writeCall(context, call))
  return outcome.kind === 'answered'
    ? believe(context, call, outcome)
    : { kind: 'unknown', cause: outcome.cause }
}

/** The signed form, as it is sent. */
export async function writeCall(
  { keyring, settings }: Context,
  { kind, host = hostOf(settings), path, fields }: VendorCall,
): Promise<HttpRequest> {
  const signed = await signFields(await keyring.signer(), fields)
  return {
    kind,
    method: 'POST',
    url: host + path,
    headers: {
      'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
      'user-agent': USER_AGENT,
    },
    body: Uint8Array.from(utf8(encodeForm(Object.entries(signed)))),
  }
}

/** What an answer says, if the vendor signed it and it is an answer to this call. */
export async function believe(
  { keyring }: Context,
  call: VendorCall,
  { status, body }: Pick<Answered, 'status' | 'body'>,
): Promise<VendorAnswer> {
  if (status !== 200) return { kind: 'unknown', cause: `status ${status}` }
  const fields = parseAnswer(body)
  if (fields === undefined) return { kind: 'unknown', cause: 'the answer is no message' }
  const check = await checkMessage(keyring, fields)
  if (check.kind === 'invalid') return { kind: 'unknown', cause: check.reason }
  const { respCode } = check.message
  if (respCode === undefined) return { kind: 'unknown', cause: 'the answer has no respCode' }
  // A genuine answer to another question, played again, must not answer this one.
  return ['merId', 'orderId', 'txnTime'].every((name) => check.message[name] === call.fields[name])
    ? { kind: 'answered', respCode, message: check.message }
    : { kind: 'unknown', cause: `respCode ${respCode}, about another order` }
}
