import { chinaDigits, formatChinaDateTime } from '../core/china-time.ts'
import { newNonce } from '../core/random.ts'
import { signMessage } from '../core/rsa.ts'
import type { Channel } from './channel-rule.ts'
import type { ChargeBody } from './charge-body.ts'

/** What a credential is made of. */
export interface CredentialOrder {
  readonly chargeId: string
  readonly token: string
  readonly livemode: boolean
  readonly body: ChargeBody
  readonly now: Date
  /** Unix seconds. */
  readonly timeExpire: number
  /** Where the buyer's pages of the emulator stand. */
  readonly baseUrl: string
  /** Signs what a channel signs. Nobody checks it: a page compares what it gets with what was issued. */
  readonly channelKeyPem: string
  readonly isOldAlipay: boolean
}

type Fields = Readonly<Record<string, string | number>>

/** Where a wallet's page stands, in place of the channel's own gateway. */
export const PAGE_PATHS = {
  alipay: '/gateway.do',
  wechat: '/cgi-bin/mmpayweb-bin/checkmweb',
  unionpay: '/gateway/api/frontTransReq.do',
  form: '/pay/form',
  redirect: '/pay/redirect',
} as const

/** Starts of the texts that a wallet scans. */
export const QR_PREFIXES = {
  alipay: 'https://qr.alipay.com/bax',
  wechat: 'weixin://wxpay/bizpayurl?pr=',
  unionpay: 'https://qr.95516.com/00010000/',
  other: 'https://qr.pingxx.com/isv/',
} as const

const APP_ID = 'wx8888888888888888'

/** What stands under `credential.<channel>` (dossier 2.5); `undefined` where the client needs nothing. */
export function newCredential(order: CredentialOrder): unknown {
  return MAKERS[order.body.channel](order)
}

const MAKERS: Readonly<Record<Channel, (order: CredentialOrder) => unknown>> = {
  alipay: (order) => ({ orderInfo: toQuery(alipayFields(order, 'alipay.trade.app.pay')) }),
  alipay_wap: (order) => alipayPage(order, 'alipay.trade.wap.pay'),
  alipay_pc_direct: (order) => alipayPage(order, 'alipay.trade.page.pay'),
  alipay_qr: ({ token }) => `${QR_PREFIXES.alipay}${token}`,
  alipay_scan: () => undefined,
  alipay_lite: ({ token }) => token,
  wx: wechatApp,
  wx_pub: wechatBridge,
  wx_pub_qr: ({ token }) => `${QR_PREFIXES.wechat}${token}`,
  wx_pub_scan: () => undefined,
  wx_wap: ({ baseUrl, token }) =>
    `${baseUrl}${PAGE_PATHS.wechat}?prepay_id=wx${token}&package=${newNonce(10)}`,
  wx_lite: wechatBridge,
  upacp: unionPayControl,
  upacp_wap: (order) => unionPayForm(order, '08'),
  upacp_pc: (order) => unionPayForm(order, '07'),
  // Unverified shape (dossier 2.5): the link that the payer's wallet scans.
  upacp_qr: ({ token }) => `${QR_PREFIXES.unionpay}${token}`,
  upacp_scan: () => undefined,
  upacp_b2b: (order) => ({ ...unionPayForm(order, '07'), channel_url: formPage(order) }),
  applepay_upacp: unionPayControl,
  cp_b2b: bankForm,
  qpay: ({ token }) => ({ token_id: token, sign: newNonce(32) }),
  qpay_pub: ({ token }) => ({ token_id: token }),
  jdpay_wap: (order) => ({ ...bankForm(order), channelUrl: formPage(order) }),
  yeepay_wap: ({ token, livemode }) => ({
    merchantaccount: '10012345678',
    encryptkey: newNonce(64),
    data: token,
    ...(!livemode && { mode: 'test' }),
  }),
  bfb_wap: (order) => ({ ...bankForm(order), url: formPage(order) }),
  cmb_wallet: (order) => ({ ...bankForm(order), ChannelUrl: formPage(order) }),
  cmb_pc_qr: (order) => ({ ...bankForm(order), channel_url: formPage(order) }),
  isv_qr: ({ token }) => `${QR_PREFIXES.other}${token}`,
  isv_scan: () => undefined,
  isv_wap: ({ baseUrl, token }) => ({ url: `${baseUrl}${PAGE_PATHS.redirect}?t=${token}` }),
  isv_lite: ({ baseUrl, token }) => `${baseUrl}${PAGE_PATHS.redirect}?t=${token}`,
}

/** The channel tells Ping++, not the merchant (dossier 2.5). */
const notifyUrl = ({ chargeId }: CredentialOrder): string =>
  `https://notify.pingxx.com/notify/charges/${chargeId}`

const formPage = ({ baseUrl }: CredentialOrder): string => `${baseUrl}${PAGE_PATHS.form}`

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const yuan = (fen: number): string => {
  const digits = String(fen).padStart(3, '0')
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

const toQuery = (fields: Fields): string =>
  Object.entries(fields)
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    .join('&')

/** Base64 over the sorted pairs: with `+`, `/` and `=`, so that careless encoding shows. */
function signatureOver({ channelKeyPem }: CredentialOrder, fields: Fields): string {
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${value}`)
  return signMessage(channelKeyPem, pairs.toSorted().join('&'))
}

function alipayPage(order: CredentialOrder, method: string): Fields {
  if (order.isOldAlipay) return oldAlipayFields(order)
  const channelUrl = `${order.baseUrl}${PAGE_PATHS.alipay}`
  return { ...alipayFields(order, method), channel_url: channelUrl }
}

function alipayFields(order: CredentialOrder, method: string): Fields {
  const { body, now } = order
  const fields = {
    app_id: '2016012301112345',
    method,
    format: 'JSON',
    charset: 'utf-8',
    sign_type: 'RSA2',
    timestamp: formatChinaDateTime(now),
    version: '1.0',
    notify_url: notifyUrl(order),
    return_url: text(body.extra['success_url']),
    biz_content: JSON.stringify({
      body: body.body,
      subject: body.subject,
      out_trade_no: body.order_no,
      total_amount: yuan(body.amount),
      product_code: 'FAST_INSTANT_TRADE_PAY',
    }),
  }
  return { ...fields, sign: signatureOver(order, fields) }
}

/** The services from before openapi; the client knows their gateway (dossier 2.5). */
function oldAlipayFields(order: CredentialOrder): Fields {
  const { body } = order
  const isMobile = body.channel === 'alipay_wap'
  const fields = {
    service: isMobile ? 'alipay.wap.create.direct.pay.by.user' : 'create_direct_pay_by_user',
    _input_charset: 'utf-8',
    return_url: text(body.extra['success_url']),
    notify_url: notifyUrl(order),
    partner: '2088002000000001',
    out_trade_no: body.order_no,
    subject: body.subject,
    body: body.body,
    total_fee: yuan(body.amount),
    payment_type: 1,
    seller_id: '2088002000000001',
  }
  // The client adds the charset to the address itself, so it is signed but not handed out.
  const { _input_charset: _, ...shown } = fields
  return { ...shown, sign_type: 'RSA', sign: signatureOver(order, fields) }
}

function wechatApp(order: CredentialOrder): Fields {
  const fields = {
    appId: APP_ID,
    partnerId: '1234567890',
    prepayId: `wx${order.token}`,
    nonceStr: newNonce(32),
    // A number here, a text for the bridge.
    timeStamp: Math.floor(order.now.getTime() / 1000),
    packageValue: 'Sign=WXPay',
  }
  return { ...fields, sign: signatureOver(order, fields) }
}

function wechatBridge(order: CredentialOrder): Fields {
  const fields = {
    appId: APP_ID,
    timeStamp: String(Math.floor(order.now.getTime() / 1000)),
    nonceStr: newNonce(32),
    package: `prepay_id=wx${order.token}`,
    signType: 'RSA',
  }
  return { ...fields, paySign: signatureOver(order, fields) }
}

function unionPayControl({ token, livemode }: CredentialOrder): Fields {
  return { tn: token, mode: livemode ? '00' : '01' }
}

function unionPayForm(order: CredentialOrder, channelType: '07' | '08'): Fields {
  const { body, now, timeExpire } = order
  const fields = {
    version: '5.1.0',
    encoding: 'UTF-8',
    certId: '69026276696',
    signMethod: '01',
    txnType: '01',
    txnSubType: '01',
    bizType: '000201',
    channelType,
    frontUrl: text(body.extra['result_url']),
    backUrl: notifyUrl(order),
    accessType: '0',
    merId: '777290058110048',
    orderId: body.order_no,
    txnTime: chinaDigits(now),
    txnAmt: String(body.amount),
    currencyCode: '156',
    orderDesc: body.subject,
    payTimeout: chinaDigits(new Date(timeExpire * 1000)),
  }
  return { ...fields, signature: signatureOver(order, fields) }
}

/** Fields of a bank's page; their names are not in the dossier, and no page reads them but ours. */
function bankForm(order: CredentialOrder): Fields {
  const { body, token } = order
  const fields = {
    merchant_no: '1234567890',
    order_no: body.order_no,
    order_amount: yuan(body.amount),
    goods_name: body.subject,
    token,
    notify_url: notifyUrl(order),
    return_url: text(body.extra['result_url'] ?? body.extra['success_url']),
  }
  return { ...fields, sign: signatureOver(order, fields) }
}
