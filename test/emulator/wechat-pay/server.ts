import type { Answer } from './answer.ts'
import { emptyAnswer, systemError, tooMany } from './answer.ts'
import type { ApiDeps, Route } from './api.ts'
import { handleRoute, isWriting, readRoute } from './api.ts'
import type { ApiRequest } from './authorization.ts'
import { authorize } from './authorization.ts'
import { handleControl } from './control.ts'
import { newNonce } from './crypto.ts'
import type { WechatPayVendor } from './vendor.ts'
import type { SerialMode, SignatureStyle } from './vendor-signature.ts'
import { vendorSignatureHeaders } from './vendor-signature.ts'

const CONTROL = '/_control/'
const BODY_BYTES_MAX = 1024 * 1024

export interface ServerDeps {
  readonly vendor: WechatPayVendor
  readonly hasPlatformCertificate: boolean
}

/** Answers one HTTP request: the control panel, or the vendor's API. */
export async function serve(deps: ServerDeps, request: Request): Promise<Response> {
  const apiRequest = await readRequest(request)
  if (apiRequest.path.startsWith(CONTROL)) {
    return handleControl(deps.vendor, apiRequest, apiRequest.path.slice(CONTROL.length))
  }
  const { vendor } = deps
  const route = readRoute(apiRequest.method, apiRequest.path)
  const answer = await answerApi(deps, { route, request: apiRequest, signal: request.signal })
  vendor.requests.append({
    method: apiRequest.method,
    target: apiRequest.target,
    status: answer?.status ?? null,
    code: answer?.code ?? null,
    at: vendor.settings.now().toISOString(),
  })
  // Nobody is listening any more; the status is for the server's sake.
  if (answer === undefined) return new Response(null, { status: 500 })
  return toResponse(deps, apiRequest, answer)
}

interface ApiCall {
  readonly route: Route
  readonly request: ApiRequest
  readonly signal: AbortSignal
}

/** `undefined`: the caller hung up before the vendor spoke. */
async function answerApi(deps: ServerDeps, call: ApiCall): Promise<Answer | undefined> {
  const { vendor } = deps
  const { route, request, signal } = call
  if (!(await vendor.panel.whenSpeaking(signal))) return undefined
  if (route.kind === 'unknown_path') return emptyAnswer(404)
  if (route.kind === 'wrong_method') return emptyAnswer(405)
  const authorization = authorize(vendor.settings.merchants, request, vendor.settings.now())
  if (authorization.kind === 'refused') return authorization.answer
  if (vendor.panel.take('status429')) return tooMany()
  const answer = handleRoute(apiDeps(deps), authorization.merchant, { route, request })
  if (!isWriting(route) || answer.status >= 300) return answer
  return afterCommit(vendor, call, answer)
}

/** What may go wrong between the vendor's commit and its answer. */
async function afterCommit(
  vendor: WechatPayVendor,
  { route, request, signal }: ApiCall,
  answer: Answer,
): Promise<Answer | undefined> {
  if (route.kind === 'prepay' && vendor.panel.get().callbackBeforeAnswer) {
    await payAtOnce(vendor, request)
  }
  if (vendor.panel.take('silenceAfterCommit')) {
    await hungUp(signal)
    return undefined
  }
  return vendor.panel.take('failAfterCommit') ? systemError() : answer
}

async function payAtOnce(vendor: WechatPayVendor, request: ApiRequest): Promise<void> {
  const body: unknown = JSON.parse(request.body)
  if (typeof body !== 'object' || body === null || !('out_trade_no' in body)) return
  const result = vendor.pay(String(body.out_trade_no))
  if (result.kind === 'paid') await result.first
}

const hungUp = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })

const apiDeps = ({ vendor, hasPlatformCertificate }: ServerDeps): ApiDeps => ({
  book: vendor.book,
  panel: vendor.panel,
  keys: vendor.settings.keys,
  now: vendor.settings.now,
  hasPlatformCertificate,
})

async function readRequest(request: Request): Promise<ApiRequest> {
  const target = request.url.replace(/^[a-z]+:\/\/[^/?]*/i, '')
  const [path = '/'] = target.split('?')
  const body = await request.text()
  if (Buffer.byteLength(body) > BODY_BYTES_MAX) {
    throw new Error(`expected at most ${BODY_BYTES_MAX} bytes, got ${Buffer.byteLength(body)}`)
  }
  return {
    method: request.method,
    target,
    path,
    query: new URLSearchParams(target.slice(path.length)),
    headers: request.headers,
    body,
  }
}

function toResponse(deps: ServerDeps, request: ApiRequest, answer: Answer): Response {
  const { vendor } = deps
  const { keys, now } = vendor.settings
  const headers = new Headers()
  if (answer.body !== '') headers.set('Content-Type', 'application/json; charset=utf-8')
  if (answer.errorNumber !== undefined) {
    headers.set('Request-ID', `08${newNonce(24).toUpperCase()}-${answer.errorNumber}`)
  }
  if (answer.isSigned) {
    const signature = vendorSignatureHeaders({
      keys,
      serialMode: serialModeFor(deps, request),
      now: now(),
      body: answer.body,
      style: answerStyle(vendor),
    })
    for (const [name, value] of Object.entries(signature)) headers.set(name, value)
  }
  return new Response(answer.body === '' ? null : answer.body, { status: answer.status, headers })
}

/** The key that the request names signs; without a name, the certificate (dossier 1.7). */
function serialModeFor(deps: ServerDeps, { headers }: ApiRequest): SerialMode {
  if (!deps.hasPlatformCertificate) return 'public'
  const { publicKeyId } = deps.vendor.settings.keys
  return headers.get('wechatpay-serial') === publicKeyId ? 'public' : 'certificate'
}

function answerStyle({ panel, settings }: WechatPayVendor): SignatureStyle {
  if (panel.take('unsignedAnswers')) return { kind: 'unsigned' }
  if (panel.take('badlySignedAnswers')) {
    return { kind: 'rogue_key', privateKeyPem: settings.rogueKeyPem }
  }
  if (panel.take('probeAnswers')) return { kind: 'probe' }
  return { kind: 'genuine' }
}
