import { X509Certificate } from 'node:crypto'

import { parseJson } from '../config.ts'
import { formatChinaDateTime, parseChinaDateTime } from '../core/china-time.ts'
import type { ApiRequest } from '../core/server.ts'
import type { Problem } from './answer.ts'
import { problem } from './answer.ts'
import { certificateNumber, rootNumber } from './certificate-number.ts'
import type { Charset } from './charset.ts'
import { parseCharset } from './charset.ts'
import { asciiField, readFields, splitForm } from './form.ts'
import { isTextSigned, requestText } from './signature.ts'

/** An app as Alipay knows it. */
export interface EmulatedApp {
  readonly appId: string
  /** The PID of the merchant, 16 digits. */
  readonly sellerId: string
  readonly appPublicKeyPem: string
  /** Only in certificate mode: what the merchant must name in every request. */
  readonly certificate?: { readonly appCertificatePem: string; readonly rootPem: string }
  /** Older apps see the buyer's user id instead of his open id. */
  readonly usesUserId?: boolean
}

/** A request whose app and signature were checked. */
export interface GatewayCall {
  readonly app: EmulatedApp
  readonly method: string
  readonly parameters: ReadonlyMap<string, string>
  readonly charset: Charset
  /** The parsed `biz_content`. */
  readonly biz: unknown
}

export type CallReading =
  | { readonly kind: 'accepted'; readonly call: GatewayCall }
  | {
      readonly kind: 'refused'
      readonly method: string | undefined
      readonly charset: Charset
      readonly problem: Problem
      /** Known once the app is: then the refusal is signed (dossier 1.5). */
      readonly app?: EmulatedApp
    }

export interface GatewayRules {
  readonly apps: readonly EmulatedApp[]
  readonly methods: ReadonlySet<string>
  readonly now: Date
  readonly clockSkewMsMax: number
}

type Parameters = ReadonlyMap<string, string>

/** Reads query and body together (dossier 1.2) and checks them in the order of the gateway. */
export function readCall(rules: GatewayRules, request: ApiRequest): CallReading {
  const query = request.target.slice(request.path.length + 1)
  const fields = [...splitForm(query), ...splitForm(request.body)]
  const declared = asciiField(fields, 'charset') ?? 'utf-8'
  const charset = parseCharset(declared)
  return judge(rules, readFields(fields, charset ?? 'utf-8'), charset)
}

/** Reads an order string as the buyer's app hands it in. */
export function readOrderString(rules: GatewayRules, text: string): CallReading {
  const fields = splitForm(text)
  const charset = parseCharset(asciiField(fields, 'charset') ?? 'utf-8')
  return judge(rules, readFields(fields, charset ?? 'utf-8'), charset)
}

function judge(
  rules: GatewayRules,
  parameters: Parameters | undefined,
  declared: Charset | undefined,
): CallReading {
  const charset = declared ?? 'utf-8'
  const party = findParty(rules, parameters)
  if (party.kind === 'unknown') {
    const { method } = party
    return { kind: 'refused', method, charset, problem: party.problem }
  }
  const { app, method } = party
  const fault =
    publicFault(party.parameters, declared) ??
    certificateFault(app, party.parameters, rules.now) ??
    timeFault(rules, party.parameters) ??
    signatureFault(app, party.parameters, charset)
  if (fault !== undefined) return { kind: 'refused', method, charset, app, problem: fault }
  const biz = parseJson(party.parameters.get('biz_content') ?? '{}')
  if (biz === undefined) {
    const illegal = problem('isv.illegal-json', 'biz_content不是JSON')
    return { kind: 'refused', method, charset, app, problem: illegal }
  }
  return { kind: 'accepted', call: { app, method, parameters: party.parameters, charset, biz } }
}

type Party =
  | {
      readonly kind: 'known'
      readonly app: EmulatedApp
      readonly method: string
      readonly parameters: Parameters
    }
  | { readonly kind: 'unknown'; readonly method: string | undefined; readonly problem: Problem }

/** Who asks for what: whatever fails here is answered without a signature. */
function findParty(rules: GatewayRules, parameters: Parameters | undefined): Party {
  const unknown = (method: string | undefined, subCode: string, message: string): Party => ({
    kind: 'unknown',
    method,
    problem: problem(subCode, message),
  })
  if (parameters === undefined) return unknown(undefined, 'isv.suspected-attack', '参数重复')
  const method = parameters.get('method')
  if (!method) return unknown(undefined, 'isv.missing-method', '缺少方法名参数')
  if (!rules.methods.has(method)) return unknown(undefined, 'isv.invalid-method', '不存在的方法名')
  const appId = parameters.get('app_id')
  if (!appId) return unknown(method, 'isv.missing-app-id', '缺少AppID参数')
  const app = rules.apps.find((known) => known.appId === appId)
  if (app === undefined) return unknown(method, 'isv.invalid-app-id', '无效的AppID参数')
  return { kind: 'known', app, method, parameters }
}

const REQUIRED: readonly (readonly [string, string])[] = [
  ['sign', 'isv.missing-signature'],
  ['sign_type', 'isv.missing-signature-type'],
  ['timestamp', 'isv.missing-timestamp'],
  ['version', 'isv.missing-version'],
  ['charset', 'isv.invalid-charset'],
]

const ADDRESS_CHARACTERS_MAX = 256

function publicFault(parameters: Parameters, charset: Charset | undefined): Problem | undefined {
  const missing = REQUIRED.find(([name]) => !parameters.get(name))
  if (missing !== undefined) return problem(missing[1], `缺少参数${missing[0]}`)
  if (charset === undefined) return problem('isv.invalid-charset', '字符集仅支持GBK、UTF-8')
  const signType = parameters.get('sign_type')
  if (signType === 'RSA')
    return problem('isv.missing-signature-config', '应用未配置对应签名算法的公钥')
  if (signType !== 'RSA2') return problem('isv.invalid-signature-type', '无效的签名类型')
  if (parameters.get('version') !== '1.0') return problem('isv.invalid-parameter', 'version不合法')
  const format = parameters.get('format') ?? 'JSON'
  if (format.toUpperCase() !== 'JSON') return problem('isv.invalid-format', '无效的数据格式')
  if (parameters.has('encrypt_type')) return problem('isv.invalid-encrypt-type', '加密类型不支持')
  if (parameters.get('app_auth_token')) {
    return problem('aop.invalid-app-auth-token', '无效的应用授权令牌')
  }
  const long = ['notify_url', 'return_url'].find(
    (name) => (parameters.get(name) ?? '').length > ADDRESS_CHARACTERS_MAX,
  )
  return long === undefined ? undefined : problem('isv.invalid-parameter', `${long}过长`)
}

function certificateFault(
  app: EmulatedApp,
  parameters: Parameters,
  now: Date,
): Problem | undefined {
  const { certificate } = app
  if (certificate === undefined) return undefined
  const number = parameters.get('app_cert_sn')
  const root = parameters.get('alipay_root_cert_sn')
  if (!number) return problem('isv.missing-app-cert-sn', '缺少应用公钥证书序列号')
  if (!root) return problem('isv.missing-alipay-root-cert-sn', '缺少支付宝根证书序列号')
  const isKnown =
    number === certificateNumber(certificate.appCertificatePem) &&
    root === rootNumber(certificate.rootPem)
  if (!isKnown) return problem('isv.app-cert-not-exist', '应用公钥证书不存在')
  const endsAt = new Date(new X509Certificate(certificate.appCertificatePem).validTo)
  return now < endsAt ? undefined : problem('isv.app-cert-expired', '应用公钥证书已过期')
}

function timeFault({ now, clockSkewMsMax }: GatewayRules, parameters: Parameters) {
  const moment = parseChinaDateTime(parameters.get('timestamp') ?? '')
  const skewMs = moment === undefined ? Infinity : Math.abs(moment.getTime() - now.getTime())
  if (skewMs <= clockSkewMsMax) return undefined
  return problem('isv.invalid-timestamp', `非法的时间戳参数，网关时间为${formatChinaDateTime(now)}`)
}

function signatureFault(
  app: EmulatedApp,
  parameters: Parameters,
  charset: Charset,
): Problem | undefined {
  const text = requestText(parameters)
  const signature = parameters.get('sign') ?? ''
  if (isTextSigned(app.appPublicKeyPem, { text, signature }, { charset, signType: 'RSA2' })) {
    return undefined
  }
  const advice =
    '验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配，网关生成的验签字符串为：'
  return problem('isv.invalid-signature', advice + text.replaceAll('&', '&amp;'))
}
