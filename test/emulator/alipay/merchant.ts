import { z } from 'zod'

import { parseJson } from '../config.ts'
import { formatChinaDateTime } from '../core/china-time.ts'
import type { Charset } from './charset.ts'
import type { AlipayEmulator, AlipayEmulatorOptions } from './emulator.ts'
import { startAlipayEmulator } from './emulator.ts'
import { asciiField, encodeForm, readFields, splitForm } from './form.ts'
import { parseCharset } from './charset.ts'
import type { EmulatedApp } from './gateway-call.ts'
import type { AlipayKeys } from './keys.ts'
import { makeAlipayKeys } from './keys.ts'
import { isTextSigned, noticeText, requestText, signText } from './signature.ts'

export const APP_ID = '2021000000000001'
export const CERTIFICATE_APP_ID = '2021000000000002'
export const SELLER_ID = '2088000000000001'

/** A notice as it arrived at the merchant, with what the merchant thinks of it. */
export interface ReceivedNotice {
  readonly body: string
  readonly contentType: string
  /** Empty if a name stood there twice. */
  readonly fields: Readonly<Record<string, string>>
  readonly isGenuine: boolean
}

export interface CallOptions {
  readonly appId?: string
  readonly httpMethod?: 'GET' | 'POST'
  readonly charset?: string
  /** Set before the signature; `undefined` leaves a parameter out. */
  readonly parameters?: Readonly<Record<string, string | undefined>>
  /** Set after the signature. */
  readonly unsigned?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface TestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The answer's node. */
  readonly node: Readonly<Record<string, unknown>>
  readonly nodeName: string
  readonly certificateNumber: string | undefined
  /** `undefined`: there is no signature. */
  readonly isGenuine: boolean | undefined
}

/** A merchant made for the emulator's own tests: it signs requests and takes notices. */
export interface TestMerchant {
  readonly emulator: AlipayEmulator
  readonly keys: AlipayKeys
  readonly notifyUrl: string
  readonly received: readonly ReceivedNotice[]
  /** The answers to the coming notices; after the last one it says `success`. */
  answerWith(...answers: readonly (string | number)[]): void
  sign(method: string, biz: unknown, options?: CallOptions): Map<string, string>
  call(method: string, biz: unknown, options?: CallOptions): Promise<TestAnswer>
  stop(): Promise<void>
}

/** Two apps of one merchant: one in public-key mode, one with certificates. */
export const appsOf = ({ app, vendor }: AlipayKeys): readonly EmulatedApp[] => [
  { appId: APP_ID, sellerId: SELLER_ID, appPublicKeyPem: app.publicKeyPem },
  {
    appId: CERTIFICATE_APP_ID,
    sellerId: SELLER_ID,
    appPublicKeyPem: app.publicKeyPem,
    certificate: { appCertificatePem: app.certificatePem, rootPem: vendor.rootPem },
  },
]

/** Starts an emulator and a merchant that knows it. */
export async function startTestMerchant(
  options: Omit<AlipayEmulatorOptions, 'apps'> = {},
): Promise<TestMerchant> {
  const keys = await makeAlipayKeys()
  const received: ReceivedNotice[] = []
  const answers: (string | number)[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      received.push(readNotice(emulator, request.headers, await request.text()))
      const answer = answers.shift() ?? 'success'
      if (typeof answer === 'string') return new Response(answer)
      return new Response('success', { status: answer })
    },
  })
  const vendorKeys = options.vendorKeys ?? keys.vendor
  const emulator: AlipayEmulator = await startAlipayEmulator({
    ...options,
    vendorKeys,
    apps: appsOf(keys),
  })
  const now = options.clock ?? (() => new Date())
  const sign: TestMerchant['sign'] = (method, biz, how = {}) =>
    signedParameters(keys, { method, biz, now: now(), how })
  return {
    emulator,
    keys,
    notifyUrl: `http://127.0.0.1:${server.port}/notify`,
    received,
    answerWith: (...list) => void answers.push(...list),
    sign,
    call: (method, biz, how = {}) => send(emulator, sign(method, biz, how), how),
    stop: async () => {
      await emulator.stop()
      await server.stop(true)
    },
  }
}

interface SigningInput {
  readonly method: string
  readonly biz: unknown
  readonly now: Date
  readonly how: CallOptions
}

function signedParameters(
  { app, vendor }: AlipayKeys,
  { method, biz, now, how }: SigningInput,
): Map<string, string> {
  const charset = how.charset ?? 'utf-8'
  const appId = how.appId ?? APP_ID
  const wished: Record<string, string | undefined> = {
    app_id: appId,
    method,
    charset,
    sign_type: 'RSA2',
    timestamp: formatChinaDateTime(now),
    version: '1.0',
    biz_content: JSON.stringify(biz),
    ...(appId === CERTIFICATE_APP_ID && {
      app_cert_sn: app.certificateNumber,
      alipay_root_cert_sn: vendor.rootNumber,
    }),
    ...how.parameters,
  }
  const parameters = new Map<string, string>()
  for (const [name, value] of Object.entries(wished)) {
    if (value !== undefined) parameters.set(name, value)
  }
  const way = { charset: parseCharset(charset) ?? 'utf-8', signType: 'RSA2' } as const
  if (!parameters.has('sign')) {
    parameters.set('sign', signText(app.privateKeyPem, requestText(parameters), way))
  }
  for (const [name, value] of Object.entries(how.unsigned ?? {})) parameters.set(name, value)
  return parameters
}

async function send(
  emulator: AlipayEmulator,
  parameters: Map<string, string>,
  { httpMethod = 'POST', charset = 'utf-8', signal }: CallOptions,
): Promise<TestAnswer> {
  const way = parseCharset(charset) ?? 'utf-8'
  const isInUrl = ([name]: [string, string]): boolean =>
    httpMethod === 'GET' || name !== 'biz_content'
  const query = encodeForm([...parameters].filter(isInUrl), way)
  const body = encodeForm(
    [...parameters].filter((entry) => !isInUrl(entry)),
    way,
  )
  const response = await fetch(`${emulator.gatewayUrl}?${query}`, {
    method: httpMethod,
    ...(httpMethod === 'POST' && {
      body,
      headers: { 'Content-Type': `application/x-www-form-urlencoded;charset=${charset}` },
    }),
    ...(signal !== undefined && { signal }),
  })
  return readAnswer(emulator, response, way)
}

const envelopeSchema = z.record(z.string(), z.unknown())

/** Cuts the node out of the bytes by the shape that the emulator writes. */
async function readAnswer(
  emulator: AlipayEmulator,
  response: Response,
  charset: Charset,
): Promise<TestAnswer> {
  const bytes = await response.arrayBuffer()
  const text = new TextDecoder(charset).decode(bytes)
  const match = /^\{"(\w+)":(\{.*?\})(?:,"alipay_cert_sn":"(\w+)")?(?:,"sign":"([^"]+)")?\}$/.exec(
    text,
  )
  const [, nodeName = '', node = '', certificateNumber, signature] = match ?? []
  const { certificate, publicKeyPem } = emulator.vendorKeys()
  const key = certificateNumber === undefined ? publicKeyPem : certificate.certificatePem
  const way = { charset, signType: 'RSA2' } as const
  return {
    status: response.status,
    headers: response.headers,
    text,
    node: envelopeSchema.safeParse(parseJson(node)).data ?? {},
    nodeName,
    certificateNumber,
    isGenuine:
      signature === undefined ? undefined : isTextSigned(key, { text: node, signature }, way),
  }
}

/** Checks a notice as a merchant does: by the v1 rule, with the key of the app it names. */
export function readNotice(
  emulator: AlipayEmulator,
  headers: Headers,
  body: string,
): ReceivedNotice {
  const raw = splitForm(body)
  const charset = parseCharset(asciiField(raw, 'charset') ?? 'utf-8') ?? 'utf-8'
  const fields = readFields(raw, charset)
  const contentType = headers.get('content-type') ?? ''
  if (fields === undefined) return { body, contentType, fields: {}, isGenuine: false }
  const { certificate, publicKeyPem } = emulator.vendorKeys()
  const isCertificate = fields.get('app_id') === CERTIFICATE_APP_ID
  const key = isCertificate ? certificate.certificatePem : publicKeyPem
  const signature = fields.get('sign') ?? ''
  const text = noticeText(fields)
  const way = { charset, signType: 'RSA2' } as const
  const isGenuine =
    fields.get('sign_type') === 'RSA2' && isTextSigned(key, { text, signature }, way)
  return { body, contentType, fields: Object.fromEntries(fields), isGenuine }
}

/** A sale of 88.80 yuan. */
export const sale = (
  outTradeNo: string,
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> => ({
  out_trade_no: outTradeNo,
  total_amount: '88.80',
  subject: '测试 tea',
  ...changes,
})
