import { pingpp } from '#channel/pingpp/index'
import { assert } from '#domain/assert'
import { describeContract } from '../contract.ts'
import type {
  Heard,
  Product,
  SignedCallback,
  Signer,
  Told,
  ToldRefund,
  Voice,
} from '../contract/vendor.ts'
import { keyOf, publicOf } from '../support.ts'
import {
  PAYMENT_FIELD,
  PRODUCTS,
  app,
  liveSecret,
  merchantPem,
  signedAt,
  strangerPem,
  vendorHeaders,
  vendorNumber,
  vendorPayment,
  vendorPem,
  vendorRefund,
} from './support.ts'

const payer = {
  open_id: 'oTWkR5n9rWxSXjOPtBOcfO_Payer',
  buyer_account: 'payer@example.com',
  buyer_user_id: '2088102146225135',
}

const PARAMS = { appId: 'wx1', nonceStr: 'n', timeStamp: '1', package: 'prepay_id=wx20' }
/** As long as a real one, so that the log has something to hide. */
const WALLET_SIGNATURE = 'Ab3+/'.repeat(68) + 'Ab3='
const ALIPAY = { app_id: '2016', sign: WALLET_SIGNATURE }

/** Dossier, section 2.5. */
const CREDENTIALS: Readonly<Record<string, unknown>> = {
  alipay: { orderInfo: `app_id=2016&sign=${encodeURIComponent(WALLET_SIGNATURE)}` },
  alipay_wap: { channel_url: 'https://openapi.alipay.com/gateway.do', ...ALIPAY },
  alipay_pc_direct: ALIPAY,
  alipay_qr: 'https://qr.alipay.com/bax00001',
  wx: { ...PARAMS, timeStamp: 1, prepayId: 'wx20', sign: WALLET_SIGNATURE },
  wx_pub: { ...PARAMS, signType: 'RSA', paySign: WALLET_SIGNATURE },
  wx_lite: { ...PARAMS, signType: 'RSA', paySign: WALLET_SIGNATURE },
  wx_pub_qr: 'weixin://wxpay/bizpayurl?pr=p4lpSuKzz',
  wx_wap: { url: 'https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx20' },
  upacp: { tn: '202603141530001', mode: '00' },
  upacp_pc: { orderId: 'p', txnTime: '20260314101530', signature: WALLET_SIGNATURE },
  upacp_wap: { orderId: 'p', txnTime: '20260314101530', signature: WALLET_SIGNATURE },
  upacp_qr: 'https://qr.95516.com/00010000/1',
}

const PAID = { paid: true, time_paid: signedAt + 5 }
const STATES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'paid=true': PAID,
  'paid=false': {},
  'reversed=true': { ...PAID, reversed: true },
}

/** A stand-in that no other field has, so that an amount can be written in any way. */
const AMOUNT = 987_654_321

function written(told: Pick<Told, 'amountText'>, value: unknown): string {
  return JSON.stringify(value).replaceAll(String(AMOUNT), told.amountText)
}

const held = (told: Told, changes: Readonly<Record<string, unknown>>) => {
  const [, , product = ''] =
    PRODUCTS.find(([wallet, method]) => wallet === told.wallet && method === told.method) ?? []
  return vendorPayment({
    id: told.channelPaymentId,
    order_no: told.paymentId,
    channel: product,
    amount: AMOUNT,
    extra: payer,
    credential: { object: 'credential', [product]: CREDENTIALS[product] },
    ...changes,
  })
}

const inState = (told: Told) => held(told, { ...STATES[told.state], credential: {} })

/** Dossier, section 3: `succeed` is true only when it is done; a code stands behind a failure. */
const heldRefund = ({ refundId, state, channelRefundId, payment }: ToldRefund) => {
  const [status = '', code = null] = state.split(' ')
  return vendorRefund({
    id: channelRefundId,
    amount: AMOUNT,
    status,
    succeed: status === 'succeeded',
    failure_code: code,
    [PAYMENT_FIELD]: payment.channelPaymentId,
    charge_order_no: payment.paymentId,
    metadata: { pingzhang_refund: refundId },
  })
}

function voiceOf(pem: string): Voice {
  const answer = (status: number, body: string): Response =>
    new Response(body, {
      status,
      headers: { ...vendorHeaders(body, pem), 'content-type': 'application/json' },
    })
  const isList = ({ url }: Heard): boolean => url.includes('?')
  const list = (data: readonly unknown[]) => ({ object: 'list', url: '', has_more: false, data })
  const event = (
    told: Pick<Told, 'amountText'>,
    id: string,
    type: string,
    object: unknown,
  ): SignedCallback => {
    const news = { id: `evt_${id}`, object: 'event', livemode: true, type, data: { object } }
    const body = written(told, news)
    const headers = { ...vendorHeaders(body, pem), 'content-type': 'application/json' }
    return { headers, body: Buffer.from(body) }
  }
  const error = (status: number, parts: Readonly<Record<string, string>>) =>
    answer(status, JSON.stringify({ error: { type: 'invalid_request_error', ...parts } }))
  return {
    callback: (told) => event(told, told.paymentId, 'charge.succeeded', inState(told)),
    created: (_heard, told) => answer(200, written(told, held(told, {}))),
    refused: () => answer(402, '{"error":{"type":"channel_error","code":"channel_auth_error"}}'),
    found: (heard, told) =>
      answer(200, written(told, isList(heard) ? list([inState(told)]) : inState(told))),
    absent: (heard) =>
      isList(heard) ? answer(200, JSON.stringify(list([]))) : error(404, { param: 'id' }),
    refund: {
      answered: (_heard, refund) => answer(200, written(refund, heldRefund(refund))),
      refused: () => error(400, { message: '已经全额退款' }),
      unknownCode: () => error(400, { code: 'moon_is_full' }),
      found: (heard, refund) => {
        const object = heldRefund(refund)
        return answer(200, written(refund, isList(heard) ? list([object]) : object))
      },
      absent: (heard) =>
        isList(heard) ? answer(200, JSON.stringify(list([]))) : error(404, { param: 'id' }),
      callback(refund) {
        const type = refund.state.startsWith('failed') ? 'refund.failed' : 'refund.succeeded'
        return event(refund, refund.refundId, type, heldRefund(refund))
      },
    },
  }
}

const pemOf = (signer: Signer): string => (signer === 'vendor' ? vendorPem : strangerPem)

const narrower = (maxSeconds: number, wallets: readonly string[]) =>
  PRODUCTS.filter(([wallet]) => wallets.includes(wallet)).map(([wallet, method]) => {
    const product: Product = { wallet, method }
    return { ...product, maxSeconds }
  })

describeContract({
  name: 'pingpp',
  strategy: pingpp,
  now: new Date(signedAt * 1000),
  account: (signer) => ({
    settings: { app },
    keys: [
      keyOf('api_secret', 'secret', liveSecret),
      keyOf('merchant_private', 'own', merchantPem),
      keyOf('vendor_public', 'vendor', publicOf(pemOf(signer))),
    ],
  }),
  voice: (signer) => voiceOf(pemOf(signer)),
  handedOut: [],
  narrowerExpiry: [...narrower(7 * 86_400, ['wechat_pay']), ...narrower(3600, ['unionpay'])],
  orderIn: ({ body }) => body,
  queriesByList: true,
  signedHeaders: ['x-pingplusplus-signature'],
  sameMessage: [],
  answers: {
    stored: { status: 200, body: 'success' },
    refused: { status: 500, body: 'fail' },
    rejected: { status: 401, body: 'fail' },
    unavailable: { status: 503, body: 'fail' },
  },
  states: [
    { state: 'paid=true', means: 'success' },
    { state: 'paid=false', means: 'not_yet' },
    { state: 'reversed=true', means: 'money_moved' },
  ],
  paidState: 'paid=true',
  amountMinorMax: 2n ** 53n - 1n,
  writeAmount: (minor) => minor.toString(),
  amountIn(body) {
    const text = /"amount":(\d+),/.exec(body)?.[1]
    assert(text !== undefined, 'the body has an amount')
    return text
  },
  amountTexts: [
    ['1', 1n],
    ['12801', 12_801n],
    ['9007199254740991', 2n ** 53n - 1n],
    ['9007199254740993', undefined],
    ['0', undefined],
    ['-1', undefined],
    ['128.01', undefined],
    ['"12801"', undefined],
    ['null', undefined],
    ['[12801]', undefined],
  ],
  channelPaymentId: vendorNumber,
  payerMarks: Object.values(payer),
  refund: {
    states: [
      { state: 'succeeded', means: 'succeeded' },
      { state: 'pending', means: 'accepted', only: ['answered', 'found'] },
      { state: 'failed', means: 'refused' },
      { state: 'failed refund_refused_msg', means: 'refused' },
      { state: 'failed refund_retry', means: 'refused' },
      { state: 'failed refund_pending', means: 'accepted' },
      { state: 'failed refund_manual_intervention', means: 'abnormal' },
      { state: 'pending refund_wait_operation', means: 'abnormal', only: ['answered', 'found'] },
    ],
    doneState: 'succeeded',
    unknownState: 'melted',
    amountToldIn: ['answered', 'found', 'callback'],
    amountIn: ({ body }) => /"amount":(\d+)/.exec(body)?.[1] ?? '',
    channelRefundId: 're_100240816592822384640019',
    queriesByList: true,
  },
})
