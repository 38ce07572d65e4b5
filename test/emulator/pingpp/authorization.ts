import { isSignedBy } from '../core/rsa.ts'
import type { ApiRequest } from '../core/server.ts'
import type { Answer } from './answer.ts'
import { badApiKey, invalid } from './answer.ts'

/** A merchant as Ping++ knows it. */
export interface EmulatedAccount {
  /** Ids like `app_1Gqj58ynP0mHeX1q`. */
  readonly apps: readonly string[]
  readonly liveKey: string
  readonly testKey: string
  /** What the merchant uploaded. Without it, no signature is looked at. */
  readonly publicKeyPem?: string
  /** The dashboard's switch: an unsigned request is let in as well. */
  readonly acceptsUnsigned?: boolean
}

/** Whose data a request sees: one account's, of one mode (dossier 7). */
export interface Caller {
  readonly account: EmulatedAccount
  readonly livemode: boolean
}

export type Authorization =
  | { readonly kind: 'accepted'; readonly caller: Caller }
  | { readonly kind: 'refused'; readonly answer: Answer }

export interface AuthorizationSettings {
  readonly accounts: readonly EmulatedAccount[]
  readonly now: Date
  readonly clockSkewSecondsMax: number
}

const MS_PER_SECOND = 1000
const TIMESTAMP = /^\d{10}$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const NO_SIGNATURE = '没有提供签名串，请检查是否设置了请求签名'
const BAD_SIGNATURE = '提供了无效的签名'

const refuse = (answer: Answer): Authorization => ({ kind: 'refused', answer })

/**
 * Checks key, then signature.
 *
 * The status of a signature error is nowhere recorded; 400 follows from the meaning of the statuses (dossier 5).
 */
export function authorize(settings: AuthorizationSettings, request: ApiRequest): Authorization {
  const caller = findCaller(settings.accounts, readApiKey(request.headers))
  if (caller === undefined) return refuse(badApiKey())
  const { publicKeyPem, acceptsUnsigned = false } = caller.account
  const signature = request.headers.get('pingplusplus-signature') ?? ''
  if (publicKeyPem === undefined) return { kind: 'accepted', caller }
  if (signature === '') {
    return acceptsUnsigned ? { kind: 'accepted', caller } : refuse(invalid(NO_SIGNATURE))
  }
  const timestamp = request.headers.get('pingplusplus-request-timestamp') ?? ''
  if (!isTimely(timestamp, settings)) return refuse(invalid('请求时间戳无效'))
  const message = textToSign(request, timestamp)
  const isRight = BASE64.test(signature) && isSignedBy(publicKeyPem, { message, signature })
  return isRight ? { kind: 'accepted', caller } : refuse(invalid(BAD_SIGNATURE))
}

/** What a merchant signs: the body of a POST or PUT, the target, the time; no separators (dossier 1.1). */
export function textToSign(
  { method, body, target }: Pick<ApiRequest, 'method' | 'body' | 'target'>,
  timestamp: string,
): string {
  const isWithBody = method === 'POST' || method === 'PUT'
  return `${isWithBody ? body : ''}${target}${timestamp}`
}

/** The key as user name of Basic with an empty password, or as Bearer (dossier 1). */
export function readApiKey(headers: Headers): string | undefined {
  const [scheme = '', value = '', ...rest] = (headers.get('authorization') ?? '').split(' ')
  if (value === '' || rest.length > 0) return undefined
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return undefined
  const text = Buffer.from(value, 'base64').toString('utf8')
  return text.endsWith(':') ? text.slice(0, -1) : undefined
}

function findCaller(
  accounts: readonly EmulatedAccount[],
  key: string | undefined,
): Caller | undefined {
  for (const account of accounts) {
    if (account.liveKey === key) return { account, livemode: true }
    if (account.testKey === key) return { account, livemode: false }
  }
  return undefined
}

function isTimely(timestamp: string, { now, clockSkewSecondsMax }: AuthorizationSettings): boolean {
  if (!TIMESTAMP.test(timestamp)) return false
  return Math.abs(now.getTime() / MS_PER_SECOND - Number(timestamp)) <= clockSkewSecondsMax
}
