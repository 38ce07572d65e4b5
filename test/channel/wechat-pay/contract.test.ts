import { wechatPay } from '#channel/wechat-pay/index'
import { describeContract } from '../contract.ts'
import type {
  AccountParts,
  ContractVendor,
  SignedCallback,
  Signer,
  Told,
  ToldRefund,
  Voice,
} from '../contract/vendor.ts'
import { keyOf, publicOf } from '../support.ts'
import {
  apiv3Key,
  appid,
  mchid,
  merchantPem,
  merchantSerial,
  notifiedAt,
  otherPem,
  publicKeyId,
  seal,
  vendorHeaders,
  vendorPem,
} from './support.ts'

const PEM: Readonly<Record<Signer, string>> = { vendor: otherPem, stranger: vendorPem }
const OPEN_ID = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6p'
const ACCOUNT_OF_PAYER = '招商银行信用卡0403'
const JSON_TYPE = { 'content-type': 'application/json' }

const account = (signer: Signer): AccountParts => ({
  settings: { mchid, appid },
  keys: [
    keyOf('merchant_private', merchantSerial, merchantPem),
    keyOf('vendor_public', publicKeyId, publicOf(PEM[signer])),
    keyOf('symmetric', 'first', apiv3Key),
  ],
})

/** WeChat Pay dossier, section 3.2. The amount goes in as text, so that a test can write what JSON cannot. */
const orderOf = (told: Told): string =>
  JSON.stringify({
    appid,
    mchid,
    out_trade_no: told.paymentId,
    transaction_id: told.channelPaymentId,
    trade_type: 'NATIVE',
    trade_state: told.state,
    trade_state_desc: '支付成功',
    bank_type: 'OTHERS',
    success_time: '2026-03-14T09:15:02+08:00',
    payer: { openid: OPEN_ID },
    amount: { total: 0, payer_total: 1, currency: 'CNY', payer_currency: 'CNY' },
  }).replace('"total":0', `"total":${told.amountText}`)

/** WeChat Pay dossier, sections 5.3 and 5.6: the state has another name in a notice. */
const refundAs = (refund: ToldRefund, state: 'status' | 'refund_status'): string =>
  JSON.stringify({
    ...(state === 'refund_status'
      ? { mchid }
      : { channel: 'ORIGINAL', funds_account: 'AVAILABLE' }),
    refund_id: refund.channelRefundId,
    out_refund_no: refund.refundId,
    transaction_id: refund.payment.channelPaymentId,
    out_trade_no: refund.payment.paymentId,
    user_received_account: ACCOUNT_OF_PAYER,
    success_time: '2026-03-14T14:02:11+08:00',
    [state]: refund.state,
    amount: { total: 12_801, refund: 0, payer_total: 12_000, payer_refund: 1 },
  }).replace('"refund":0', `"refund":${refund.amountText}`)

/** WeChat Pay dossier, section 2.3: one of these, by the path that was called. */
const CREDENTIALS: Readonly<Record<string, unknown>> = {
  native: { code_url: 'weixin://wxpay/bizpayurl?pr=p4lpSuKzz' },
  jsapi: { prepay_id: 'wx201410272009395522657a690389285100' },
  app: { prepay_id: 'wx201410272009395522657a690389285100' },
  h5: { h5_url: 'https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx14&package=40' },
}

const voice = (signer: Signer): Voice => {
  const headersOf = (body: string) => ({
    ...vendorHeaders(body, { pem: PEM[signer] }),
    ...JSON_TYPE,
  })
  const answer = (status: number, body: string): Response =>
    new Response(status === 204 ? null : body, { status, headers: headersOf(body) })
  const refusal = (status: number, code: string, message: string): Response =>
    answer(status, JSON.stringify({ code, message }))
  const notice = (id: string, eventType: string, plain: string): SignedCallback => {
    const [kind] = eventType.toLowerCase().split('.')
    const body = JSON.stringify({
      id: `7b0c4b2e-${id}`,
      create_time: '2026-03-14T09:15:03+08:00',
      resource_type: 'encrypt-resource',
      event_type: eventType,
      summary: '成功',
      resource: {
        original_type: kind,
        algorithm: 'AEAD_AES_256_GCM',
        ciphertext: seal(plain, { data: kind ?? '' }),
        associated_data: kind,
        nonce: 'fdasflkja484',
      },
    })
    return { headers: headersOf(body), body: Buffer.from(body) }
  }
  const absentRefund = (): Response => refusal(404, 'RESOURCE_NOT_EXISTS', '查询的资源不存在')
  return {
    callback: (told) => notice(told.paymentId, 'TRANSACTION.SUCCESS', orderOf(told)),
    created: ({ url }) => answer(200, JSON.stringify(CREDENTIALS[url.split('/').at(-1) ?? ''])),
    refused: () => answer(403, '{"code":"RULE_LIMIT","message":"交易限制"}'),
    found: (_heard, told) => answer(200, orderOf(told)),
    absent: () => refusal(404, 'ORDER_NOT_EXIST', '订单不存在'),
    closed: () => answer(204, ''),
    closeRefused: () => refusal(400, 'INVALID_REQUEST', '该订单已支付'),
    refund: {
      answered: (_heard, refund) => answer(200, refundAs(refund, 'status')),
      found: (_heard, refund) => answer(200, refundAs(refund, 'status')),
      absent: absentRefund,
      // Before a refusal is believed, the refund is asked about.
      refused: ({ method }) =>
        method === 'GET' ? absentRefund() : refusal(403, 'USER_ACCOUNT_ABNORMAL', '用户账户注销'),
      notExecuted: () => refusal(403, 'NOT_ENOUGH', '基本账户余额不足，请充值后重新发起'),
      unknownCode: () => refusal(403, 'MELTED', ''),
      callback: (refund) =>
        notice(refund.refundId, 'REFUND.SUCCESS', refundAs(refund, 'refund_status')),
    },
  }
}

const vendor: ContractVendor = {
  name: 'wechat-pay',
  strategy: wechatPay,
  now: new Date(notifiedAt * 1000),
  account,
  voice,
  handedOut: [],
  narrowerExpiry: [],
  orderIn: ({ body }) => body,
  signedHeaders: [
    'wechatpay-timestamp',
    'wechatpay-nonce',
    'wechatpay-serial',
    'wechatpay-signature',
  ],
  sameMessage: [],
  windowSeconds: 300,
  // WeChat Pay dossier, section 4.4: only a status from 400 makes it repeat.
  answers: {
    stored: {
      status: 200,
      body: '{"code":"SUCCESS","message":"成功"}',
      contentType: 'application/json',
    },
    refused: {
      status: 400,
      body: '{"code":"FAIL","message":"失败"}',
      contentType: 'application/json',
    },
    rejected: {
      status: 401,
      body: '{"code":"FAIL","message":"失败"}',
      contentType: 'application/json',
    },
    unavailable: {
      status: 503,
      body: '{"code":"FAIL","message":"失败"}',
      contentType: 'application/json',
    },
  },
  states: [
    { state: 'SUCCESS', means: 'success' },
    { state: 'REFUND', means: 'success' },
    { state: 'NOTPAY', means: 'not_yet' },
    { state: 'USERPAYING', means: 'not_yet' },
    { state: 'ACCEPT', means: 'not_yet' },
    { state: 'CLOSED', means: 'closed' },
    { state: 'REVOKED', means: 'closed' },
    { state: 'PAYERROR', means: 'failed' },
  ],
  paidState: 'SUCCESS',
  unknownState: 'MELTED',
  amountMinorMax: 2n ** 53n - 1n,
  writeAmount: String,
  amountIn: (body) => /"total":([^,}]*)/.exec(body)?.[1] ?? '',
  amountTexts: [
    ['1e2', 100n],
    ['100.0', 100n],
    ['0', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['"100"', undefined],
    ['null', undefined],
    ['9007199254740993', undefined],
  ],
  channelPaymentId: '4200002603202603141234567890',
  payerMarks: [OPEN_ID, ACCOUNT_OF_PAYER],
  refund: {
    states: [
      { state: 'SUCCESS', means: 'succeeded' },
      { state: 'PROCESSING', means: 'accepted' },
      { state: 'ABNORMAL', means: 'abnormal' },
      { state: 'CLOSED', means: 'refused' },
    ],
    doneState: 'SUCCESS',
    unknownState: 'MELTED',
    amountToldIn: ['answered', 'found', 'callback'],
    amountIn: ({ body }) => /"refund":([^,}]*)/.exec(body)?.[1] ?? '',
    channelRefundId: '50300002602026031412345678901',
  },
}

describeContract(vendor)
