import { alipay } from '#channel/alipay/index'
import { describeContract } from '../contract.ts'
import { FORM_REWRITINGS } from '../contract/vendor.ts'
import type {
  AccountParts,
  ContractVendor,
  Heard,
  SignedCallback,
  Signer,
  Told,
  ToldRefund,
  Voice,
} from '../contract/vendor.ts'
import { keyOf, publicOf } from '../support.ts'
import {
  appId,
  channelPaymentId,
  formBody,
  merchantKey,
  noticeOf,
  noticeText,
  now,
  otherPem,
  sellerId,
  signText,
  signedBody,
  vendorPem,
} from './support.ts'
import type { Fields } from './support.ts'
import { answer, failure, nodeName, paymentOf } from './vendor.ts'

const PEM: Readonly<Record<Signer, string>> = { vendor: vendorPem, stranger: otherPem }
const BUYER_ID = '2088722003899169'
const BUYER_LOGON_ID = '159****5620'

const account = (signer: Signer): AccountParts => ({
  settings: { app_id: appId, seller_id: sellerId },
  keys: [
    keyOf('merchant_private', 'app', merchantKey),
    keyOf('vendor_public', 'alipay', publicOf(PEM[signer])),
  ],
})

/** Marks of money stand only where there was some (dossier, section 3.1). */
const UNPAID = {
  receipt_amount: '0.00',
  buyer_pay_amount: '0.00',
  send_pay_date: undefined,
  gmt_payment: '',
}
const hasNoMoney = ({ state }: Told): boolean => ['WAIT_BUYER_PAY', 'TRADE_CLOSED'].includes(state)

const noticeFields = (told: Told): Fields =>
  noticeOf({
    notify_id: `ntf${told.paymentId}`,
    out_trade_no: told.paymentId,
    trade_no: told.channelPaymentId,
    trade_status: told.state,
    total_amount: told.amountText,
    buyer_id: BUYER_ID,
    buyer_logon_id: BUYER_LOGON_ID,
    ...(hasNoMoney(told) ? { gmt_payment: '', buyer_pay_amount: '0.00' } : {}),
  })

const foundNode = (told: Told) => ({
  code: '10000',
  msg: 'Success',
  ...paymentOf({
    out_trade_no: told.paymentId,
    trade_no: told.channelPaymentId,
    trade_status: told.state,
    total_amount: told.amountText,
    buyer_user_id: BUYER_ID,
    buyer_logon_id: BUYER_LOGON_ID,
  }),
  ...(hasNoMoney(told) ? UNPAID : {}),
})

/** What precreate and create answer, each its own. */
const createdNode = (told: Told) => ({
  code: '10000',
  msg: 'Success',
  out_trade_no: told.paymentId,
  ...(told.method === 'qr'
    ? { qr_code: 'https://qr.alipay.com/bax00000000000000000' }
    : { trade_no: told.channelPaymentId }),
})

/** Alipay dossier, section 5.1: what a call did is `fund_change`, and `refund_fee` is a sum. */
const refundedNode = ({ payment, state }: ToldRefund) => ({
  code: '10000',
  msg: 'Success',
  trade_no: payment.channelPaymentId,
  out_trade_no: payment.paymentId,
  buyer_logon_id: BUYER_LOGON_ID,
  buyer_user_id: BUYER_ID,
  fund_change: state === 'REFUND_SUCCESS' ? 'Y' : 'N',
  refund_fee: '999.99',
})

/** Alipay dossier, section 5.2. */
const queriedNode = ({ payment, refundId, amountText, state }: ToldRefund) => ({
  code: '10000',
  msg: 'Success',
  trade_no: payment.channelPaymentId,
  out_trade_no: payment.paymentId,
  out_request_no: refundId,
  total_amount: '999.99',
  refund_amount: amountText,
  refund_status: state,
  gmt_refund_pay: '2026-01-31 23:59:58',
})

/** Alipay dossier, section 4.3: of an asynchronous refund, which names its state. */
const refundNoticeFields = ({ payment, refundId, amountText, state }: ToldRefund): Fields => ({
  ...noticeFields(payment),
  notify_id: `ntf${refundId}${state}`,
  out_request_no: refundId,
  refund_fee: '999.99',
  gmt_refund: '2026-01-31 23:59:58.123',
  refund_amount: amountText,
  refund_status: state,
})

const isRefundQuery = (heard: Heard): boolean => nameIn(heard).includes('fastpay_refund_query')

const nameIn = ({ url }: Heard): string => nodeName(new URL(url).searchParams.get('method') ?? '')

const orderIn = ({ body }: Heard): string => new URLSearchParams(body).get('biz_content') ?? ''

const voice = (signer: Signer): Voice => {
  const pem = PEM[signer]
  const say = (heard: Heard, node: object): Response =>
    answer(nameIn(heard), JSON.stringify(node), { pem })
  const refuse = (heard: Heard, subCode: string): Response =>
    answer(nameIn(heard), failure('40004', subCode), { pem })
  const notice = (fields: Fields): SignedCallback => ({
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: Buffer.from(signedBody(fields, pem)),
  })
  const absentRefund = (heard: Heard): Response => say(heard, { code: '10000', msg: 'Success' })
  return {
    callback: (told) => notice(noticeFields(told)),
    created: (heard, told) => say(heard, createdNode(told)),
    refused: (heard) => refuse(heard, 'ACQ.SELLER_BEEN_BLOCKED'),
    found: (heard, told) => say(heard, foundNode(told)),
    absent: (heard) => refuse(heard, 'ACQ.TRADE_NOT_EXIST'),
    closed: (heard) => say(heard, { code: '10000', msg: 'Success', ...JSON.parse(orderIn(heard)) }),
    closeRefused: (heard) => refuse(heard, 'ACQ.TRADE_STATUS_ERROR'),
    refund: {
      answered: (heard, refund) => say(heard, refundedNode(refund)),
      // Before a refusal is believed, the refund is asked about.
      refused: (heard) =>
        isRefundQuery(heard)
          ? absentRefund(heard)
          : refuse(heard, 'ACQ.REFUND_AMT_NOT_EQUAL_TOTAL'),
      notExecuted: (heard) => refuse(heard, 'ACQ.SELLER_BALANCE_NOT_ENOUGH'),
      unknownCode: (heard) =>
        isRefundQuery(heard) ? absentRefund(heard) : refuse(heard, 'ACQ.MELTED'),
      found: (heard, refund) => say(heard, queriedNode(refund)),
      absent: absentRefund,
      callback: (refund) => notice(refundNoticeFields(refund)),
    },
    back(told) {
      const fields: Fields = {
        charset: 'utf-8',
        out_trade_no: told.paymentId,
        method: 'alipay.trade.page.pay.return',
        total_amount: told.amountText,
        trade_no: told.channelPaymentId,
        auth_app_id: appId,
        version: '1.0',
        app_id: appId,
        sign_type: 'RSA2',
        seller_id: sellerId,
        timestamp: '2026-01-31 23:59:59',
      }
      const body = formBody({ ...fields, sign: signText(noticeText(fields), pem) })
      return [...new URLSearchParams(body)]
    },
  }
}

const vendor: ContractVendor = {
  name: 'alipay',
  strategy: alipay,
  now,
  account,
  voice,
  handedOut: [{ method: 'page' }, { method: 'wap' }, { method: 'app' }],
  // Alipay dossier, section 2.2: wap and app at least five minutes.
  narrowerExpiry: [
    { method: 'wap', minSeconds: 300 },
    { method: 'app', minSeconds: 300 },
  ],
  orderIn,
  signedHeaders: [],
  sameMessage: FORM_REWRITINGS,
  answers: {
    stored: { status: 200, body: 'success' },
    refused: { status: 200, body: 'fail' },
    rejected: { status: 200, body: 'fail' },
    unavailable: { status: 503, body: 'fail' },
  },
  // Payment rules, section 3.
  states: [
    { state: 'TRADE_SUCCESS', means: 'success' },
    { state: 'TRADE_FINISHED', means: 'success' },
    { state: 'WAIT_BUYER_PAY', means: 'not_yet' },
    { state: 'TRADE_CLOSED', means: 'closed' },
  ],
  paidState: 'TRADE_SUCCESS',
  unknownState: 'TRADE_MELTED',
  amountMinorMax: 10_000_000_000n,
  writeAmount(minor) {
    const digits = String(minor).padStart(3, '0')
    return `${digits.slice(0, -2)}.${digits.slice(-2)}`
  },
  amountIn: (body) =>
    /"total_amount":"([^"]*)"/.exec(new URLSearchParams(body).get('biz_content') ?? '')?.[1] ?? '',
  amountTexts: [
    ['128.01', 12_801n],
    ['128.1', 12_810n],
    ['128', 12_800n],
    ['0.01', 1n],
    ['0.00', 0n],
    ['-0.01', undefined],
    ['128.001', undefined],
    ['128.010', undefined],
    ['1e2', undefined],
    ['0128.01', undefined],
    ['128,01', undefined],
    [' 128.01', undefined],
    ['¥128.01', undefined],
    ['', undefined],
  ],
  channelPaymentId,
  payerMarks: [BUYER_ID, BUYER_LOGON_ID],
  refund: {
    states: [
      { state: 'REFUND_SUCCESS', means: 'succeeded' },
      { state: 'REFUND_PROCESSING', means: 'accepted', only: ['found', 'callback'] },
      { state: 'REFUND_FAIL', means: 'refused', only: ['found', 'callback'] },
    ],
    doneState: 'REFUND_SUCCESS',
    unknownState: 'REFUND_MELTED',
    amountToldIn: ['found', 'callback'],
    amountIn: (heard) => /"refund_amount":"([^"]*)"/.exec(orderIn(heard))?.[1] ?? '',
    // The vendor has no number of its own for a refund.
    channelRefundId: '',
  },
}

describeContract(vendor)
