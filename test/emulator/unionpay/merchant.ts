import { X509Certificate } from 'node:crypto'

import { chinaDigits } from '../core/china-time.ts'
import type { Charset } from './charset.ts'
import { decodeText, parseCharset } from './charset.ts'
import type { UnionpayEmulator, UnionpayEmulatorOptions } from './emulator.ts'
import { startUnionpayEmulator } from './emulator.ts'
import type { UnionpayKeys } from './keys.ts'
import { makeUnionpayKeys } from './keys.ts'
import type { Fields } from './message.ts'
import { readForm, readRawFields, writeFields } from './message.ts'
import { isSigned, signFields } from './signature.ts'
import type { PostForm } from './vendor.ts'

export const MER_ID = '777290058110048'

/** A callback as it arrived at the merchant, with what the merchant thinks of it. */
export interface ReceivedCallback {
  readonly contentType: string
  /** Read as Latin-1: the bytes as they came. */
  readonly body: string
  readonly fields: Fields
  readonly isGenuine: boolean
}

export interface TestAnswer {
  readonly status: number
  readonly bytes: Uint8Array
  readonly text: string
  readonly fields: Fields
  readonly isGenuine: boolean
}

export interface CallOptions {
  /** Instead of, or besides, what the merchant would send; an empty text leaves a field out. */
  readonly changes?: Fields
  /** Changed after the signature. */
  readonly tampered?: Fields
  readonly signal?: AbortSignal
}

/** A merchant made for the emulator's own tests: it signs requests and takes callbacks. */
export interface TestMerchant {
  readonly emulator: UnionpayEmulator
  readonly keys: UnionpayKeys
  readonly backUrl: string
  readonly received: readonly ReceivedCallback[]
  /** The answers to the coming callbacks; after the last one it says 200. */
  answerWith(...statuses: readonly number[]): void
  /** Signed fields with what all messages share. */
  sign(fields: Fields, options?: CallOptions): Fields
  frontForm(orderId: string, changes?: Fields): PostForm
  call(
    door: 'back' | 'app' | 'query' | 'file',
    fields: Fields,
    options?: CallOptions,
  ): Promise<TestAnswer>
  createApp(orderId: string, options?: CallOptions): Promise<TestAnswer>
  createQr(orderId: string, options?: CallOptions): Promise<TestAnswer>
  /** By the time at which the order was created. */
  query(orderId: string, options?: CallOptions): Promise<TestAnswer>
  refund(orderId: string, origin: Fields, options?: CallOptions): Promise<TestAnswer>
  /** The file of a clearing day, `MMdd`. */
  file(settleDate: string, options?: CallOptions): Promise<TestAnswer>
  stop(): Promise<void>
}

const PATHS = {
  back: '/gateway/api/backTransReq.do',
  app: '/gateway/api/appTransReq.do',
  query: '/gateway/api/queryTrans.do',
  file: '/',
} as const

/** Starts an emulator and a merchant that knows it. */
export async function startTestMerchant(
  options: Omit<UnionpayEmulatorOptions, 'merchants'> = {},
): Promise<TestMerchant> {
  const now = options.clock ?? (() => new Date())
  const keys = await makeUnionpayKeys(now())
  const received: ReceivedCallback[] = []
  const answers: number[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      received.push(await readCallback({ keys, now }, request))
      return new Response('ok', { status: answers.shift() ?? 200 })
    },
  })
  const merchants = [{ merId: MER_ID, certificatesPem: [keys.merchant.certificatePem] }]
  const emulator = await startUnionpayEmulator({ vendorKeys: keys.vendor, ...options, merchants })
  const side: Side = { keys, now, emulator, backUrl: `http://127.0.0.1:${server.port}/notify` }
  return {
    ...actionsOf(side),
    emulator,
    keys,
    backUrl: side.backUrl,
    received,
    answerWith: (...statuses) => void answers.push(...statuses),
    stop: async () => {
      await emulator.stop()
      await server.stop(true)
    },
  }
}

interface Side {
  readonly keys: UnionpayKeys
  readonly now: () => Date
  readonly emulator: UnionpayEmulator
  readonly backUrl: string
}

type Actions = Omit<
  TestMerchant,
  'emulator' | 'keys' | 'backUrl' | 'received' | 'answerWith' | 'stop'
>

function actionsOf(side: Side): Actions {
  const { keys, now, emulator, backUrl } = side
  const sign: Actions['sign'] = (fields, { changes = {}, tampered = {} } = {}) => {
    const named = { ...shared(keys), txnTime: chinaDigits(now()), ...fields, ...changes }
    return { ...named, signature: signFields(named, keys.merchant.privatePem), ...tampered }
  }
  const call: Actions['call'] = async (door, fields, options = {}) =>
    readAnswer(side, await post(emulator.url + PATHS[door], sign(fields, options), options.signal))
  return {
    sign,
    call,
    frontForm: (orderId, changes = {}) => ({
      action: `${emulator.url}/gateway/api/frontTransReq.do`,
      fields: sign({ ...frontFields(backUrl), orderId }, { changes }),
    }),
    createApp: (orderId, options) =>
      call('app', { ...payment(backUrl), channelType: '08', accType: '01', orderId }, options),
    createQr: (orderId, options) => call('back', { ...qrFields(backUrl), orderId }, options),
    query: (orderId, options) => {
      const created = emulator.order(orderId) ?? emulator.refund(orderId)
      const txnTime = created?.message.fields['txnTime'] ?? chinaDigits(now())
      return call('query', { ...QUERY, orderId, txnTime }, options)
    },
    refund: (orderId, origin, options) =>
      call('back', { ...refundFields(backUrl), orderId, ...origin }, options),
    file: (settleDate, options) => call('file', { ...FILE, settleDate }, options),
  }
}

const QUERY = { txnType: '00', txnSubType: '00', bizType: '000000' } as const

const FILE = { txnType: '76', txnSubType: '01', bizType: '000000', fileType: '00' } as const

const shared = (keys: UnionpayKeys): Fields => ({
  version: '5.1.0',
  encoding: 'UTF-8',
  certId: keys.merchant.certId,
  signMethod: '01',
  accessType: '0',
  merId: MER_ID,
})

const payment = (backUrl: string): Fields => ({
  txnType: '01',
  txnSubType: '01',
  bizType: '000201',
  txnAmt: '10000',
  currencyCode: '156',
  backUrl,
})

const frontFields = (backUrl: string): Fields => ({
  ...payment(backUrl),
  channelType: '07',
  frontUrl: 'http://127.0.0.1:9/return',
  riskRateInfo: '{commodityName=茶 & "tea"}',
})

const qrFields = (backUrl: string): Fields => ({
  ...payment(backUrl),
  txnSubType: '07',
  bizType: '000000',
  channelType: '08',
})

const refundFields = (backUrl: string): Fields => ({
  txnType: '04',
  txnSubType: '00',
  bizType: '000000',
  channelType: '07',
  txnAmt: '10000',
  backUrl,
})

function post(url: string, fields: Fields, signal: AbortSignal | undefined): Promise<Response> {
  const charset = parseCharset(fields['encoding']) ?? 'UTF-8'
  return fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': `application/x-www-form-urlencoded;charset=${charset}` },
    body: writeFields(fields, { charset, escapes: 'plus' }),
    ...(signal !== undefined && { signal }),
  })
}

async function readAnswer(side: Side, response: Response): Promise<TestAnswer> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  const named = response.headers.get('content-type')?.split('charset=')[1]
  const charset: Charset = parseCharset(named) ?? 'UTF-8'
  const text = decodeText(bytes, charset) ?? ''
  const fields = readRawFields(text)
  return { status: response.status, bytes, text, fields, isGenuine: isVendorSigned(side, fields) }
}

async function readCallback(
  side: Pick<Side, 'keys' | 'now'>,
  request: Request,
): Promise<ReceivedCallback> {
  const bytes = new Uint8Array(await request.arrayBuffer())
  const reading = readForm(bytes)
  const fields = reading.kind === 'read' ? reading.fields : {}
  return {
    contentType: request.headers.get('content-type') ?? '',
    body: Buffer.from(bytes).toString('latin1'),
    fields,
    isGenuine: isVendorSigned(side, fields),
  }
}

/** Checks a message as a merchant does: dates, chain and name of the certificate, then the signature. */
export function isVendorSigned(side: Pick<Side, 'keys' | 'now'>, fields: Fields): boolean {
  const { signPubKeyCert = '', signature = '', version } = fields
  if (signPubKeyCert === '' || signature === '' || version !== '5.1.0') return false
  const certificate = readCertificate(signPubKeyCert)
  if (certificate === undefined || !isVendorCertificate(side, certificate)) return false
  return isSigned(fields, signPubKeyCert)
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    // A callback without escapes loses the plus signs of its certificate: it is none any more.
    return undefined
  }
}

function isVendorCertificate(
  { keys, now }: Pick<Side, 'keys' | 'now'>,
  certificate: X509Certificate,
): boolean {
  const root = new X509Certificate(keys.vendor.root.certificatePem)
  const intermediate = new X509Certificate(keys.vendor.intermediate.certificatePem)
  const isChained =
    certificate.checkIssued(intermediate) &&
    certificate.verify(intermediate.publicKey) &&
    intermediate.verify(root.publicKey)
  const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? ''
  const isNamed = commonName.split('@')[2] === '中国银联股份有限公司'
  const at = now()
  const isInForce = at >= new Date(certificate.validFrom) && at <= new Date(certificate.validTo)
  return isChained && isNamed && isInForce
}
