import { newNonce } from '../core/random.ts'
import type { ApiRequest, VendorAnswer, VendorHttp } from '../core/server.ts'
import type { Answer } from './answer.ts'
import { emptyAnswer, systemError, tooMany } from './answer.ts'
import type { ApiDeps, Route } from './api.ts'
import { handleRoute, isWriting, readRoute } from './api.ts'
import { authorize } from './authorization.ts'
import type { WechatPayVendor } from './vendor.ts'
import type { SerialMode, SignatureStyle } from './vendor-signature.ts'
import { vendorSignatureHeaders } from './vendor-signature.ts'

/** The API of WeChat Pay over HTTP: who may ask, what is asked, and how the answer is signed. */
export class WechatPayHttp implements VendorHttp {
  readonly #vendor: WechatPayVendor
  readonly #hasPlatformCertificate: boolean

  constructor(vendor: WechatPayVendor, hasPlatformCertificate: boolean) {
    this.#vendor = vendor
    this.#hasPlatformCertificate = hasPlatformCertificate
  }

  async answer(request: ApiRequest): Promise<VendorAnswer> {
    const route = readRoute(request.method, request.path)
    const answer = await this.#answer(route, request)
    const hasCommitted = isWriting(route) && answer.status < 300
    return { ...this.#dress(request, answer), hasCommitted }
  }

  serverError(request: ApiRequest): VendorAnswer {
    return this.#dress(request, systemError())
  }

  async #answer(route: Route, request: ApiRequest): Promise<Answer> {
    const { panel, settings, now } = this.#vendor
    if (route.kind === 'unknown_path') return emptyAnswer(404)
    if (route.kind === 'wrong_method') return emptyAnswer(405)
    const authorization = authorize(settings.merchants, request, now())
    if (authorization.kind === 'refused') return authorization.answer
    if (panel.take('status429')) return tooMany()
    const answer = handleRoute(this.#apiDeps(), authorization.merchant, { route, request })
    const isPaidAtOnce = route.kind === 'prepay' && panel.get().callbackBeforeAnswer
    if (isPaidAtOnce && answer.status < 300) await payAtOnce(this.#vendor, request)
    if (route.kind === 'refund' && answer.status < 300) this.#vendor.settleRefund(answer.body)
    return answer
  }

  #apiDeps(): ApiDeps {
    const { book, refunds, bills, panel, settings, now } = this.#vendor
    const hasPlatformCertificate = this.#hasPlatformCertificate
    const takeNotEnough = (): boolean => panel.take('refundNotEnough')
    const { keys } = settings
    return { book, refunds, bills, panel, keys, now, hasPlatformCertificate, takeNotEnough }
  }

  #dress(request: ApiRequest, answer: Answer): VendorAnswer {
    if (answer.file !== undefined) return { response: fileResponse(answer.file) }
    const headers = new Headers()
    if (answer.body !== '') headers.set('Content-Type', 'application/json; charset=utf-8')
    if (answer.errorNumber !== undefined) {
      headers.set('Request-ID', `08${newNonce(24).toUpperCase()}-${answer.errorNumber}`)
    }
    if (answer.isSigned) this.#sign(request, answer, headers)
    const body = answer.body === '' ? null : answer.body
    const response = new Response(body, { status: answer.status, headers })
    return { response, ...(answer.code !== undefined && { code: answer.code }) }
  }

  #sign(request: ApiRequest, { body }: Answer, headers: Headers): void {
    const { settings, now } = this.#vendor
    const signature = vendorSignatureHeaders({
      keys: settings.keys,
      serialMode: this.#serialModeFor(request),
      now: now(),
      body,
      style: answerStyle(this.#vendor),
    })
    for (const [name, value] of Object.entries(signature)) headers.set(name, value)
  }

  /** The key that the request names signs; without a name, the certificate (dossier 1.7). */
  #serialModeFor({ headers }: ApiRequest): SerialMode {
    if (!this.#hasPlatformCertificate) return 'public'
    const { publicKeyId } = this.#vendor.settings.keys
    return headers.get('wechatpay-serial') === publicKeyId ? 'public' : 'certificate'
  }
}

/** Dossier 6.5: no signature, no `Request-ID`, and a type that HTTP does not unpack. */
const fileResponse = (file: Blob): Response =>
  new Response(file, { headers: { 'Content-Type': 'application/x-gzip' } })

async function payAtOnce(vendor: WechatPayVendor, request: ApiRequest): Promise<void> {
  const body: unknown = JSON.parse(request.body)
  if (typeof body !== 'object' || body === null || !('out_trade_no' in body)) return
  const result = vendor.pay(String(body.out_trade_no))
  if (result.kind === 'paid') await result.first
}

function answerStyle({ panel, settings }: WechatPayVendor): SignatureStyle {
  if (panel.take('unsignedAnswers')) return { kind: 'unsigned' }
  if (panel.take('badlySignedAnswers')) {
    return { kind: 'rogue_key', privateKeyPem: settings.rogueKeyPem }
  }
  if (panel.take('probeAnswers')) return { kind: 'probe' }
  return { kind: 'genuine' }
}
