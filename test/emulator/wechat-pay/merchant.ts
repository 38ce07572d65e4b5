import { z } from 'zod'

import { parseJson } from '../config.ts'
import { newNonce } from '../core/random.ts'
import { isSignedBy, signMessage } from '../core/rsa.ts'
import { openText } from './crypto.ts'
import type { WechatPayEmulator, WechatPayEmulatorOptions } from './emulator.ts'
import { startWechatPayEmulator } from './emulator.ts'
import type { WechatPayKeys } from './keys.ts'
import { makeWechatPayKeys } from './keys.ts'

export const MCHID = '1900000109'
export const APPID = 'wxd678efh567hg6787'

/** A callback as it arrived at the merchant, with what the merchant thinks of it. */
export interface ReceivedCallback {
  readonly headers: Headers
  readonly body: string
  readonly isGenuine: boolean
  readonly eventId: string
  /** The decrypted order; `undefined` if it does not open. */
  readonly order: unknown
}

/** A merchant made for the emulator's own tests: it signs requests and takes callbacks. */
export interface TestMerchant {
  readonly emulator: WechatPayEmulator
  readonly keys: WechatPayKeys
  readonly notifyUrl: string
  readonly received: readonly ReceivedCallback[]
  /** The answers to the coming callbacks; after the last one it says 204. */
  answerWith(...statuses: readonly number[]): void
  call(method: string, target: string, options?: CallOptions): Promise<TestAnswer>
  prepay(outTradeNo: string, changes?: Record<string, unknown>): Promise<TestAnswer>
  stop(): Promise<void>
}

export interface CallOptions {
  readonly body?: unknown
  readonly serial?: string
  readonly timestamp?: number
  readonly signal?: AbortSignal
  /** Replaces the whole header. */
  readonly authorization?: string
  /** Signs another text than it sends. */
  readonly signedBody?: string
}

export interface TestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly text: string
  readonly json: unknown
}

/** Starts an emulator and a merchant that knows it. */
export async function startTestMerchant(
  options: Omit<WechatPayEmulatorOptions, 'merchants'> = {},
): Promise<TestMerchant> {
  const keys = await makeWechatPayKeys()
  const received: ReceivedCallback[] = []
  const answers: number[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      received.push(readCallback(keys, request.headers, await request.text()))
      return new Response(null, { status: answers.shift() ?? 204 })
    },
  })
  const { certificateSerial, publicKeyPem, apiV3Key } = keys.merchant
  const emulator = await startWechatPayEmulator({
    vendorKeys: keys.vendor,
    ...options,
    merchants: [
      {
        mchid: MCHID,
        appids: [APPID],
        merchantCertificateSerial: certificateSerial,
        merchantPublicKeyPem: publicKeyPem,
        apiV3Key,
      },
    ],
  })
  const notifyUrl = `http://127.0.0.1:${server.port}/notify`
  const call: TestMerchant['call'] = (method, target, how = {}) =>
    callApi({ url: emulator.url, keys, clock: options.clock }, { method, target, ...how })
  return {
    emulator,
    keys,
    notifyUrl,
    received,
    answerWith: (...statuses) => void answers.push(...statuses),
    call,
    prepay: (outTradeNo, changes = {}) =>
      call('POST', '/v3/pay/transactions/native', {
        body: { ...prepayBody(outTradeNo, notifyUrl), ...changes },
      }),
    stop: async () => {
      await emulator.stop()
      await server.stop(true)
    },
  }
}

/** A body that the emulator takes for a native order of 100 yuan. */
export const prepayBody = (outTradeNo: string, notifyUrl: string): Record<string, unknown> => ({
  appid: APPID,
  mchid: MCHID,
  description: 'Demo tea set',
  out_trade_no: outTradeNo,
  notify_url: notifyUrl,
  amount: { total: 10_000, currency: 'CNY' },
})

interface ApiSide {
  readonly url: string
  readonly keys: WechatPayKeys
  readonly clock: (() => Date) | undefined
}

async function callApi(
  { url, keys, clock }: ApiSide,
  call: CallOptions & { readonly method: string; readonly target: string },
): Promise<TestAnswer> {
  const body = call.body === undefined ? '' : JSON.stringify(call.body)
  const now = clock?.() ?? new Date()
  const timestamp = call.timestamp ?? Math.floor(now.getTime() / 1000)
  const nonce = newNonce(32)
  const signed = call.signedBody ?? body
  const message = `${call.method}\n${call.target}\n${timestamp}\n${nonce}\n${signed}\n`
  const signature = signMessage(keys.merchant.privateKeyPem, message)
  const serial = keys.merchant.certificateSerial
  const authorization = `WECHATPAY2-SHA256-RSA2048 mchid="${MCHID}",nonce_str="${nonce}",signature="${signature}",timestamp="${timestamp}",serial_no="${serial}"`
  const response = await fetch(url + call.target, {
    method: call.method,
    headers: {
      Authorization: call.authorization ?? authorization,
      Accept: 'application/json',
      'User-Agent': 'pingzhang-test/1.0',
      'Wechatpay-Serial': call.serial ?? keys.vendor.publicKeyId,
      ...(body !== '' && { 'Content-Type': 'application/json' }),
    },
    ...(body !== '' && { body }),
    ...(call.signal !== undefined && { signal: call.signal }),
  })
  const bytes = new Uint8Array(await response.arrayBuffer())
  const text = Buffer.from(bytes).toString('utf8')
  return { status: response.status, headers: response.headers, bytes, text, json: parseJson(text) }
}

/** Checks a vendor signature as a merchant does: by the serial, over the raw body. */
export function isVendorSigned(keys: WechatPayKeys, headers: Headers, body: string): boolean {
  const [timestamp, nonce, signature, serial] = ['Timestamp', 'Nonce', 'Signature', 'Serial'].map(
    (name) => headers.get(`Wechatpay-${name}`),
  )
  if (!timestamp || !nonce || !signature || !serial) return false
  const { vendor } = keys
  const keyBySerial = new Map([
    [vendor.publicKeyId, vendor.publicKeyPem],
    [vendor.certificateSerial, vendor.certificatePem],
  ])
  const key = keyBySerial.get(serial)
  const message = `${timestamp}\n${nonce}\n${body}\n`
  return key !== undefined && isSignedBy(key, { message, signature })
}

const envelopeSchema = z.object({
  id: z.string(),
  resource: z.object({
    ciphertext: z.string(),
    nonce: z.string(),
    associated_data: z.string(),
  }),
})

function readCallback(keys: WechatPayKeys, headers: Headers, body: string): ReceivedCallback {
  const isGenuine = isVendorSigned(keys, headers, body)
  const { id: eventId, resource } = envelopeSchema.parse(parseJson(body))
  const { nonce, associated_data: associatedData, ciphertext } = resource
  const { apiV3Key } = keys.merchant
  try {
    const text = openText({ apiV3Key, nonce, associatedData }, ciphertext)
    return { headers, body, isGenuine, eventId, order: parseJson(text) }
  } catch {
    // Sealed with another key: the merchant cannot read it, and a test asks for exactly that.
    return { headers, body, isGenuine, eventId, order: undefined }
  }
}
