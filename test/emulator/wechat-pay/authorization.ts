import { isSignedBy } from '../core/rsa.ts'
import type { ApiRequest } from '../core/server.ts'
import type { Answer } from './answer.ts'
import { signError, unauthenticated } from './answer.ts'

/** A merchant as the vendor knows it. */
export interface EmulatedMerchant {
  readonly mchid: string
  readonly appids: readonly string[]
  readonly merchantCertificateSerial: string
  readonly merchantPublicKeyPem: string
  readonly apiV3Key: string
}

export type Authorization =
  | { readonly kind: 'accepted'; readonly merchant: EmulatedMerchant }
  | { readonly kind: 'refused'; readonly answer: Answer }

const SCHEME = 'WECHATPAY2-SHA256-RSA2048'
const PARAMETERS = ['mchid', 'nonce_str', 'signature', 'timestamp', 'serial_no'] as const
const WINDOW_SECONDS = 300
const SHOWN_CHARACTERS_MAX = 1024
const MS_PER_SECOND = 1000

const MALFORMED = 'Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》'
const STALE = 'Http头Authorization中的timestamp与发起请求的时间不得超过5分钟'

type Parameters = Readonly<Record<(typeof PARAMETERS)[number], string>>

const refuse = (message: string, detail?: unknown): Authorization => ({
  kind: 'refused',
  answer: signError(message, detail),
})

/** Checks a request in the order of the gateway (dossier 1.4). */
export function authorize(
  merchants: readonly EmulatedMerchant[],
  request: ApiRequest,
  now: Date,
): Authorization {
  if (lacksProduct(request)) return { kind: 'refused', answer: headerMissing() }
  const header = request.headers.get('authorization') ?? ''
  const space = header.indexOf(' ')
  if (space < 0) return refuse(MALFORMED)
  if (header.slice(0, space) !== SCHEME) return refuse('认证类型不正确')
  const parameters = parseParameters(header.slice(space + 1))
  if (parameters === undefined) return refuse(MALFORMED)
  const ageSeconds = Math.abs(now.getTime() / MS_PER_SECOND - Number(parameters.timestamp))
  if (ageSeconds > WINDOW_SECONDS) return refuse(STALE)
  const merchant = merchants.find(({ mchid }) => mchid === parameters.mchid)
  if (merchant === undefined) return refuse('商户号不存在或商户证书序列号有误')
  if (merchant.merchantCertificateSerial !== parameters.serial_no)
    return refuse('商户证书序列号有误')
  return checkSignature(merchant, request, parameters)
}

/** The certificates endpoint asks for both headers before it looks at anything else (dossier 1.3). */
const lacksProduct = ({ path, headers }: ApiRequest): boolean =>
  path === '/v3/certificates' && (!headers.has('accept') || !headers.get('user-agent'))

const headerMissing = (): Answer =>
  unauthenticated({
    status: 400,
    code: 'INVALID_REQUEST',
    message: 'Http头缺少Accept或User-Agent',
  })

function checkSignature(
  merchant: EmulatedMerchant,
  request: ApiRequest,
  parameters: Parameters,
): Authorization {
  const { method, target, body } = request
  const message = `${method}\n${target}\n${parameters.timestamp}\n${parameters.nonce_str}\n${body}\n`
  const { signature } = parameters
  if (isSignedBy(merchant.merchantPublicKeyPem, { message, signature })) {
    return { kind: 'accepted', merchant }
  }
  return refuse('错误的签名，导致验签失败', {
    location: 'authorization',
    detail: { issue: 'sign not match' },
    sign_information: {
      method,
      url: target,
      sign_message_length: Buffer.byteLength(message),
      truncated_sign_message: message.slice(0, SHOWN_CHARACTERS_MAX),
    },
  })
}

/** `key="value"` joined by commas, each key once. */
function parseParameters(text: string): Parameters | undefined {
  const found = new Map<string, string>()
  for (const part of text.split(',')) {
    const match = /^([a-z_]+)="([^"]*)"$/.exec(part)
    if (match?.[1] === undefined || match[2] === undefined || found.has(match[1])) return undefined
    found.set(match[1], match[2])
  }
  const [mchid, nonce, signature, timestamp, serial] = PARAMETERS.map((name) => found.get(name))
  if (!mchid || !nonce || !signature || !timestamp || !serial) return undefined
  if (!/^\d{1,12}$/.test(timestamp)) return undefined
  return { mchid, nonce_str: nonce, signature, timestamp, serial_no: serial }
}
