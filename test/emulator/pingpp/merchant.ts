import { parseJson } from '../config.ts'
import { isSignedBy, signMessage } from '../core/rsa.ts'
import type { EmulatedAccount } from './authorization.ts'
import type { PingppEmulator, PingppEmulatorOptions } from './emulator.ts'
import { startPingppEmulator } from './emulator.ts'
import type { PingppKeys } from './keys.ts'
import { makePingppKeys } from './keys.ts'

export const APP = 'app_1Gqj58ynP0mHeX1q'

/** A callback as it arrived at the merchant, with what the merchant thinks of it. */
export interface ReceivedCallback {
  readonly headers: Headers
  readonly body: string
  readonly isGenuine: boolean
  /** The event; `undefined` if it is no JSON. */
  readonly event: unknown
}

/** A merchant made for the emulator's own tests: it signs requests and takes callbacks. */
export interface TestMerchant {
  readonly emulator: PingppEmulator
  readonly keys: PingppKeys
  /** Where live and test events go. */
  readonly callbackUrl: string
  readonly received: readonly ReceivedCallback[]
  /** The answers to the coming callbacks; after the last one it says 200. */
  answerWith(...statuses: readonly number[]): void
  call(method: string, target: string, options?: CallOptions): Promise<TestAnswer>
  create(orderNumber: string, changes?: Record<string, unknown>): Promise<TestAnswer>
  stop(): Promise<void>
}

export interface CallOptions {
  /** A value that becomes JSON. */
  readonly body?: unknown
  /** The live key unless given. */
  readonly apiKey?: string
  readonly timestamp?: string
  readonly signal?: AbortSignal
  /** Replaces the signature; an empty one leaves the header out. */
  readonly signature?: string
  /** Signs another text than it sends. */
  readonly signedBody?: string
  /** Replaces the whole header. */
  readonly authorization?: string
}

export interface TestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: unknown
}

export type TestMerchantOptions = Omit<PingppEmulatorOptions, 'accounts' | 'webhooks'> &
  Pick<EmulatedAccount, 'acceptsUnsigned'>

/** Starts an emulator and a merchant that knows it. */
export async function startTestMerchant(options: TestMerchantOptions = {}): Promise<TestMerchant> {
  const keys = await makePingppKeys()
  const received: ReceivedCallback[] = []
  const answers: number[] = []
  const { acceptsUnsigned = false, ...others } = options
  const { liveKey, testKey, publicKeyPem } = keys.merchant
  const emulator = await startPingppEmulator({
    vendorKeys: keys.vendor,
    ...others,
    accounts: [{ apps: [APP], liveKey, testKey, publicKeyPem, acceptsUnsigned }],
  })
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      received.push(readCallback(emulator, request.headers, await request.text()))
      return new Response(null, { status: answers.shift() ?? 200 })
    },
  })
  const callbackUrl = `http://127.0.0.1:${server.port}/callback`
  for (const livemode of [true, false])
    emulator.addWebhook({ app: APP, livemode, url: callbackUrl })
  const call: TestMerchant['call'] = (method, target, how = {}) =>
    callApi({ url: emulator.url, keys, clock: options.clock }, { method, target, ...how })
  return {
    emulator,
    keys,
    callbackUrl,
    received,
    answerWith: (...statuses) => void answers.push(...statuses),
    call,
    create: (orderNumber, changes = {}) =>
      call('POST', '/v1/charges', { body: { ...chargeBody(orderNumber), ...changes } }),
    stop: async () => {
      await emulator.stop()
      await server.stop(true)
    },
  }
}

/** A body that the emulator takes for a payment of 128 yuan by a QR code of Alipay. */
export const chargeBody = (orderNumber: string): Record<string, unknown> => ({
  order_no: orderNumber,
  app: { id: APP },
  channel: 'alipay_qr',
  amount: 12_800,
  client_ip: '127.0.0.1',
  currency: 'cny',
  subject: '测试商品',
  body: '测试商品描述',
  extra: {},
})

/** Checks a signature of Ping++ as a merchant does: over the raw body. */
export const isVendorSigned = (publicKeyPem: string, headers: Headers, body: string): boolean =>
  isSignedBy(publicKeyPem, {
    message: body,
    signature: headers.get('x-pingplusplus-signature') ?? '',
  })

interface ApiSide {
  readonly url: string
  readonly keys: PingppKeys
  readonly clock: (() => Date) | undefined
}

async function callApi(
  { url, keys, clock }: ApiSide,
  call: CallOptions & { readonly method: string; readonly target: string },
): Promise<TestAnswer> {
  const body = call.body === undefined ? '' : JSON.stringify(call.body)
  const now = clock?.() ?? new Date()
  const timestamp = call.timestamp ?? String(Math.floor(now.getTime() / 1000))
  const message = `${call.signedBody ?? body}${call.target}${timestamp}`
  const signature = call.signature ?? signMessage(keys.merchant.privateKeyPem, message)
  const key = call.apiKey ?? keys.merchant.liveKey
  const response = await fetch(url + call.target, {
    method: call.method,
    headers: {
      Authorization: call.authorization ?? `Basic ${Buffer.from(`${key}:`).toString('base64')}`,
      'Pingplusplus-Request-Timestamp': timestamp,
      ...(signature !== '' && { 'Pingplusplus-Signature': signature }),
      ...(body !== '' && { 'Content-Type': 'application/json; charset=UTF-8' }),
    },
    ...(body !== '' && { body }),
    ...(call.signal !== undefined && { signal: call.signal }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parseJson(text) }
}

function readCallback(emulator: PingppEmulator, headers: Headers, body: string): ReceivedCallback {
  const { publicKeyPem } = emulator.vendorKeys()
  const isGenuine = isVendorSigned(publicKeyPem, headers, body)
  return { headers, body, isGenuine, event: parseJson(body) }
}
