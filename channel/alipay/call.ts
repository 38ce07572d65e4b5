import type { ChannelDeps } from '../registry.ts'
import { isTrusted, readCertificates } from '../certificate.ts'
import type { FetchedKey } from '../channel.ts'
import { keyBits, utf8 } from '../crypto.ts'
import { encodeForm } from '../form.ts'
import { ChannelUnavailable, sendHttp } from '../http.ts'
import type { Exchange, HttpOutcome, RecordExchange } from '../http.ts'
import { RSA_BITS_MIN } from '../settings-check.ts'
import { digestOf, openContent, readPublicKey, sealContent } from './key.ts'
import type { Keyring, VendorKey } from './key.ts'
import type { Settings } from './settings.ts'
import { SIGN_TYPE, readAnswer, signParams, verifyRun } from './signature.ts'
import type { Params, SignedAnswer } from './signature.ts'
import {
  CERTIFICATE_API,
  formatTime,
  parseCertificate,
  parseVerdict,
  writeCertificateRequest,
} from './wire.ts'
import type { Verdict } from './wire.ts'

/** What every part of this channel works with. */
export interface Context {
  readonly deps: ChannelDeps
  readonly settings: Settings
  readonly keyring: Keyring
  readonly downloads: Downloads
}

/** Platform certificates that somebody named and we did not have, by their digests. */
export interface Downloads {
  /** Named by callbacks, which anybody can send: few, and the newest win. */
  readonly wanted: Set<string>
  /** One download each. `undefined`: the vendor's answer was not acceptable. */
  readonly fetched: Map<string, Promise<FetchedKey | undefined>>
}

export const createDownloads = (): Downloads => ({ wanted: new Set(), fetched: new Map() })

/** A call whose business fields may be repeated unchanged. */
export interface VendorCall {
  readonly kind: Exchange['kind']
  readonly api: string
  readonly content: string
  readonly callbackUrl?: string
}

/** `refusal`: the vendor signed that it did not do it, or not now; what that means is the caller's. */
export type VendorAnswer =
  | { readonly kind: 'done'; readonly node: Uint8Array }
  | ({ readonly kind: 'refusal' } & Verdict)
  | { readonly kind: 'unknown'; readonly cause: string }

/** Alipay dossier, section 1.1: the vendor's Java client waits 15 s. */
const TIMEOUT_MS = 15_000
const RESPONSE_BYTES_MAX = 1_048_576
const USER_AGENT = 'pingzhang/0.1'
const DONE = '10000'
/** Alipay dossier, section 1.11: the outcome is unknown. */
const UNKNOWN_CODES = new Set(['20000', '10003'])
const UNKNOWN_SUB_CODES = new Set(['SYSTEM_ERROR', 'UNKNOW-ERROR'])
const DOWNLOADS_MAX = 16
const WANTED_MAX = 4

/** Every public parameter of a request and its signature (dossier, sections 1.2 and 1.3). */
export async function signRequest(context: Context, api: string, more: Params): Promise<Params> {
  const { settings, deps, keyring } = context
  const { key, digests } = await keyring.signer()
  return signParams(key, {
    app_id: settings.app_id,
    method: api,
    format: 'JSON',
    charset: 'utf-8',
    sign_type: SIGN_TYPE,
    timestamp: formatTime(deps.clock.now()),
    version: '1.0',
    ...(digests && { app_cert_sn: digests.app, alipay_root_cert_sn: digests.root }),
    ...more,
  })
}

/** The address with every parameter but the business fields: `charset` must be readable before a body is. */
export function addressOf(settings: Settings, params: Params): string {
  const query = Object.entries(params).filter(([name]) => name !== 'biz_content')
  return `${settings.gateway_url}?${encodeForm(query)}`
}

/** Calls the vendor and believes only what it signed. */
export async function callVendor(
  context: Context,
  call: VendorCall,
  record: RecordExchange,
): Promise<VendorAnswer> {
  const outcome = await send(context, call, record)
  if (outcome.kind === 'no_answer') return unknown(outcome.cause)
  // Refusals are 200 as well: another status is trouble on the way (dossier, section 1.1).
  if (outcome.status !== 200) return unknown(`status ${outcome.status}`)
  const answer = readAnswer(outcome.body, call.api)
  if (answer === undefined) return unknown('the answer cannot be read')
  const { signature, digest } = answer
  if (signature === '') return unknown(unsignedCause(context, answer))
  const keys = await keysFor(context, digest, record)
  return verifyRun(keys, answer.run, signature) === undefined
    ? unknown('the answer is not signed by the vendor')
    : decide(context, answer.run)
}

/**
 * A business code without what the vendor varies: prefixes, their misspellings, case.
 *
 * Alipay dossier, section 1.11: `ACQ.SYSTEM_ERROR`, `AQC.SYSTEM_ERROR`, `aop.ACQ.SYSTEM_ERROR`.
 */
export const normalCode = (subCode: string): string =>
  subCode
    .slice(subCode.lastIndexOf('.') + 1)
    .trim()
    .toUpperCase()

const unknown = (cause: string): VendorAnswer => ({ kind: 'unknown', cause })

/**
 * What an unsigned answer says is for people only.
 *
 * Alipay dossier, section 1.5: the gateway refuses without a signature while it does not know the app. Anybody
 * in between can write that, so it decides nothing.
 */
function unsignedCause(context: Context, { run }: SignedAnswer): string {
  const verdict = parseVerdict(nodeOf(context, run) ?? run)
  return `the answer is not signed: ${verdict?.code ?? ''} ${verdict?.subCode ?? ''}`.trimEnd()
}

function decide(context: Context, run: Uint8Array): VendorAnswer {
  const node = nodeOf(context, run)
  const verdict = node && parseVerdict(node)
  if (node === undefined || verdict === undefined) return unknown('the answer cannot be read')
  if (verdict.code === DONE) return { kind: 'done', node }
  return UNKNOWN_CODES.has(verdict.code) || UNKNOWN_SUB_CODES.has(normalCode(verdict.subCode))
    ? unknown(`${verdict.code} ${verdict.subCode}`.trimEnd())
    : { kind: 'refusal', ...verdict }
}

/** The node as JSON: of an encrypted one what its text holds (dossier, section 1.8). */
function nodeOf(context: Context, run: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(run).toString('latin1')
  if (!text.startsWith('"')) return run
  const key = context.keyring.contentKey()
  return key && openContent(key, text.slice(1, -1).replaceAll('\\/', '/'))
}

async function send(
  context: Context,
  call: VendorCall,
  record: RecordExchange,
): Promise<HttpOutcome> {
  const { clock, fetch, localHosts, timeoutMs = TIMEOUT_MS } = context.deps
  const key = context.keyring.contentKey()
  const params = await signRequest(context, call.api, {
    notify_url: call.callbackUrl ?? '',
    biz_content: key === undefined ? call.content : sealContent(key, call.content),
    encrypt_type: key === undefined ? '' : 'AES',
  })
  const responseBytesMax = RESPONSE_BYTES_MAX
  return sendHttp(
    { clock, fetch, localHosts, record, timeoutMs, responseBytesMax },
    {
      kind: call.kind,
      method: 'POST',
      url: addressOf(context.settings, params),
      headers: {
        'content-type': 'application/x-www-form-urlencoded;charset=utf-8',
        accept: 'application/json',
        'user-agent': USER_AGENT,
      },
      body: utf8(encodeForm([['biz_content', params['biz_content'] ?? '']])),
    },
  )
}

/** In certificate mode an answer names its certificate, and a new one is fetched on the spot (1.7). */
async function keysFor(
  context: Context,
  digest: string | undefined,
  record: RecordExchange,
): Promise<readonly VendorKey[]> {
  const { keyring, settings } = context
  if (settings.key_mode === 'public_key' || digest === undefined) return keyring.verifying()
  const known = keyring.verifying(digest)
  if (known.length > 0) return known
  // After trouble nothing was learnt, so nothing verifies and the outcome is unknown.
  await fetchOnce(context, digest, record).catch(asTrouble)
  return keyring.verifying(digest)
}

/** Trouble at the vendor as a value; anything else is thrown on. */
function asTrouble(error: unknown): ChannelUnavailable {
  if (error instanceof ChannelUnavailable) return error
  throw error
}

/** Remembers a certificate that a callback named; `fetchKeys` asks for it once. Anybody can name one. */
export function noteWanted({ downloads: { wanted } }: Context, digest: string): void {
  if (!isDigest(digest)) return
  wanted.delete(digest)
  wanted.add(digest)
  const [oldest] = wanted
  if (wanted.size > WANTED_MAX && oldest !== undefined) wanted.delete(oldest)
}

const isDigest = (text: string): boolean => /^[0-9a-f]{32}$/.test(text)

/**
 * Platform certificates that were named and that we did not have, each downloaded once and checked.
 *
 * Alipay dossier, section 1.7: the vendor hands out one certificate by its digest and no list, so nothing is
 * fetched before a new one is named. One that the vendor does not give is forgotten until it is named again:
 * anybody can name one, and it must not keep us from the others. Throws `ChannelUnavailable` when none came.
 */
export async function fetchKeys(
  context: Context,
  record: RecordExchange,
): Promise<readonly FetchedKey[]> {
  const { wanted, fetched } = context.downloads
  const digests = new Set([...fetched.keys(), ...wanted])
  const keys: FetchedKey[] = []
  let trouble: ChannelUnavailable | undefined
  for (const digest of digests) {
    wanted.delete(digest)
    const key = await fetchOnce(context, digest, record).catch(asTrouble)
    if (key instanceof ChannelUnavailable) trouble = key
    else if (key !== undefined) keys.push(key)
  }
  if (trouble !== undefined && keys.length === 0) throw trouble
  return keys
}

/** A certificate that was sent is not asked for again; a refusal and trouble on the way leave no mark. */
function fetchOnce(
  context: Context,
  digest: string,
  record: RecordExchange,
): Promise<FetchedKey | undefined> {
  const { fetched } = context.downloads
  const running = fetched.get(digest)
  if (running !== undefined) return running
  if (!isDigest(digest) || fetched.size >= DOWNLOADS_MAX) return Promise.resolve(undefined)
  const started = download(context, digest, record)
  fetched.set(digest, started)
  // The rejection itself is for whoever awaits it.
  started.catch(() => fetched.delete(digest))
  return started
}

async function download(
  context: Context,
  digest: string,
  record: RecordExchange,
): Promise<FetchedKey | undefined> {
  const content = writeCertificateRequest(digest)
  const outcome = await send(context, { kind: 'key', api: CERTIFICATE_API, content }, record)
  if (outcome.kind === 'no_answer') throw new ChannelUnavailable(`certificate: ${outcome.cause}`)
  if (outcome.status !== 200) throw new ChannelUnavailable(`certificate: status ${outcome.status}`)
  const answer = readAnswer(outcome.body, CERTIFICATE_API)
  const node = answer && nodeOf(context, answer.run)
  if (node === undefined || parseVerdict(node)?.code !== DONE) {
    throw new ChannelUnavailable('certificate: the vendor did not send it')
  }
  const key = readPlatformCertificate(context, parseCertificate(node) ?? '', digest)
  if (key !== undefined) context.keyring.learn(digest, key)
  return key
}

/**
 * Reads a downloaded certificate; `undefined` unless it is the one asked for and chains to our roots.
 *
 * The answer that brings it is not verified, because its key may be the one it brings (dossier, section 1.5):
 * the chain is the proof.
 */
function readPlatformCertificate(
  context: Context,
  pem: string,
  digest: string,
): FetchedKey | undefined {
  const certificates = readCertificates(pem)
  const leaf = certificates.find((item) => digestOf(item) === digest)
  const trust = {
    roots: context.keyring.roots(),
    between: certificates,
    now: context.deps.clock.now(),
  }
  if (leaf === undefined || !isTrusted(leaf, trust)) return undefined
  const key = readPublicKey(leaf.toString())
  if (key === undefined || keyBits(key) < RSA_BITS_MIN) return undefined
  return {
    serial: leaf.serialNumber,
    pem: leaf.toString(),
    validFrom: new Date(leaf.validFrom),
    validUntil: new Date(leaf.validTo),
  }
}
