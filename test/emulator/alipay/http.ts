import { newNonce } from '../core/random.ts'
import type { ApiRequest, VendorAnswer, VendorHttp } from '../core/server.ts'
import type { Outcome, Problem } from './answer.ts'
import { problem, problemNode, refused, successNode } from './answer.ts'
import { DOWNLOAD_PATH } from './bill-desk.ts'
import { readOffer } from './biz-content.ts'
import { CASHIER, answerCashier, cashierPage, debugPage } from './cashier.ts'
import type { Charset } from './charset.ts'
import type { SpeakingKey } from './courier.ts'
import { sealEnvelope } from './envelope.ts'
import { asciiField, splitForm } from './form.ts'
import type { CallReading, EmulatedApp, GatewayCall } from './gateway-call.ts'
import { readCall, readOrderString } from './gateway-call.ts'
import type { Method } from './method.ts'
import { billUrl, cancel, close, create, downloadCertificate, precreate, query } from './method.ts'
import { queryRefund, refund } from './refund.ts'
import type { AlipayVendor } from './vendor.ts'

/** Methods that a server calls. */
const METHODS: Readonly<Record<string, Method>> = {
  'alipay.trade.precreate': precreate,
  'alipay.trade.create': create,
  'alipay.trade.query': query,
  'alipay.trade.close': close,
  'alipay.trade.cancel': cancel,
  'alipay.trade.refund': refund,
  'alipay.trade.fastpay.refund.query': queryRefund,
  'alipay.open.app.alipaycert.download': downloadCertificate,
  'alipay.data.dataservice.bill.downloadurl.query': billUrl,
}

/** Methods that a browser opens. */
const PAGES: Readonly<Record<string, 'page' | 'wap'>> = {
  'alipay.trade.page.pay': 'page',
  'alipay.trade.wap.pay': 'wap',
}

const APP_METHOD = 'alipay.trade.app.pay'
const ORDER_METHODS = new Set(['alipay.trade.precreate', 'alipay.trade.create'])
const KNOWN = new Set([...Object.keys(METHODS), ...Object.keys(PAGES)])
const GATEWAY = '/gateway.do'

/** What becomes of an order string that the buyer's wallet was given. */
export type OrderStringResult =
  | { readonly kind: 'taken'; readonly outTradeNo: string }
  | { readonly kind: 'refused'; readonly code: string }

/** The gateway and the cashier over HTTP. */
export class AlipayHttp implements VendorHttp {
  readonly #vendor: AlipayVendor

  constructor(vendor: AlipayVendor) {
    this.#vendor = vendor
  }

  isForBuyer(request: ApiRequest): boolean {
    return request.path.startsWith(CASHIER) || Object.hasOwn(PAGES, methodOf(request))
  }

  async answer(request: ApiRequest): Promise<VendorAnswer> {
    if (request.path.startsWith(CASHIER)) {
      return { response: answerCashier(this.#vendor, request), operation: 'cashier' }
    }
    if (request.path === DOWNLOAD_PATH) {
      return { response: this.#vendor.bills.download(request.query), operation: 'bill_file' }
    }
    const isGateway = request.path === GATEWAY && /^(GET|POST)$/.test(request.method)
    if (!isGateway) return { response: new Response(null, { status: 404 }) }
    const operation = methodOf(request)
    const reading = readCall(this.#vendor.rules(KNOWN), request)
    const product = PAGES[operation]
    const host = request.headers.get('host') ?? ''
    const answer =
      product === undefined ? await this.#call(reading, host) : this.#open(product, reading)
    return operation === '' ? answer : { ...answer, operation }
  }

  serverError(request: ApiRequest): VendorAnswer {
    const reading = readCall(this.#vendor.rules(KNOWN), request)
    return this.#dress(reading, refused('isp.unknow-error', '系统繁忙'))
  }

  /** The buyer's wallet hands in what the merchant's server signed for it (dossier 2.5). */
  takeOrderString(text: string): OrderStringResult {
    const reading = readOrderString(this.#vendor.rules(new Set([APP_METHOD])), text)
    if (reading.kind === 'refused') return { kind: 'refused', code: reading.problem.subCode }
    const offer = readOffer('app', reading.call, this.#vendor.now())
    if (offer.kind === 'refused') return { kind: 'refused', code: offer.problem.subCode }
    const code = this.#vendor.book.offer(offer.offer)
    if (code !== undefined) return { kind: 'refused', code }
    return { kind: 'taken', outTradeNo: offer.offer.outTradeNo }
  }

  /** A page for the browser. A wap order is a trade as soon as it is opened, a page order later. */
  #open(product: 'page' | 'wap', reading: CallReading): VendorAnswer {
    if (reading.kind === 'refused') return debug(reading.problem)
    const offer = readOffer(product, reading.call, this.#vendor.now())
    if (offer.kind === 'refused') return debug(offer.problem)
    const { outTradeNo } = offer.offer
    const code = this.#vendor.book.offer(offer.offer)
    if (code !== undefined) return debug(problem(code))
    if (product === 'wap') this.#vendor.enter(outTradeNo)
    return { response: cashierPage(this.#vendor, outTradeNo) }
  }

  async #call(reading: CallReading, host: string): Promise<VendorAnswer> {
    const { panel } = this.#vendor
    if (reading.kind === 'refused') return this.#dress(reading, reading)
    const { call } = reading
    if (panel.take('refusals')) return this.#dress(reading, refused(panel.get().refuseWith))
    const outcome =
      METHODS[call.method]?.(this.#vendor, call, host) ?? refused('isv.invalid-method')
    if (outcome.kind === 'done') await this.#payAtOnce(call)
    return this.#dress(reading, outcome)
  }

  async #payAtOnce(call: GatewayCall): Promise<void> {
    if (!ORDER_METHODS.has(call.method) || !this.#vendor.panel.get().callbackBeforeAnswer) return
    const { biz } = call
    if (typeof biz !== 'object' || biz === null || !('out_trade_no' in biz)) return
    const result = this.#vendor.pay(String(biz.out_trade_no))
    if (result.kind === 'paid') await result.first
  }

  #dress(
    reading: CallReading,
    outcome: Outcome | { readonly kind: 'refused'; readonly problem: Problem },
  ): VendorAnswer {
    const { method, charset, app } = partiesOf(reading)
    const node =
      outcome.kind === 'done' ? successNode(outcome.content) : problemNode(outcome.problem)
    const body = sealEnvelope({
      method,
      node,
      charset,
      key: app && this.#answerKey(app),
      hasEscapedSlashes: this.#vendor.panel.get().escapedSlashes,
    })
    return {
      // The body is JSON, whatever the type says (dossier 1.1).
      response: new Response(body, {
        headers: {
          'Content-Type': `text/html;charset=${charset}`,
          trace_id: newNonce(32),
        },
      }),
      ...(outcome.kind === 'refused' && { code: outcome.problem.subCode }),
      hasCommitted: outcome.kind === 'done' && outcome.hasCommitted === true,
    }
  }

  #answerKey(app: EmulatedApp): SpeakingKey | undefined {
    const { panel, settings } = this.#vendor
    const key = this.#vendor.keyFor(app)
    if (panel.take('unsignedAnswers')) return undefined
    if (!panel.take('badlySignedAnswers')) return key
    return { ...key, privatePem: settings.rogueKeyPem }
  }
}

const debug = (fault: Problem): VendorAnswer => ({
  response: debugPage(fault),
  code: fault.subCode,
})

interface Parties {
  readonly method: string | undefined
  readonly charset: Charset
  readonly app: EmulatedApp | undefined
}

function partiesOf(reading: CallReading): Parties {
  if (reading.kind === 'accepted') return reading.call
  return { method: reading.method, charset: reading.charset, app: reading.app }
}

/** The method before anything was checked; empty if there is none. */
function methodOf(request: ApiRequest): string {
  const query = request.target.slice(request.path.length + 1)
  return asciiField([...splitForm(query), ...splitForm(request.body)], 'method') ?? ''
}
