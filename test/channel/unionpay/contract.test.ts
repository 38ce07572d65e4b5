import { unionpay } from '#channel/unionpay/index'
import { describeContract } from '../contract.ts'
import { FORM_REWRITINGS } from '../contract/vendor.ts'
import type {
  AccountParts,
  ContractVendor,
  RefundStateCase,
  Signer,
  Told,
  ToldRefund,
  Voice,
} from '../contract/vendor.ts'
import { keyOf } from '../support.ts'
import {
  chain,
  intermediateKey,
  merId,
  merchantKey,
  noticeOf,
  now,
  rawOf,
  rootKey,
  signedBy,
} from './support.ts'
import type { Message } from './support.ts'

/** One name and one serial, two authorities of one name. */
const SIGNERS = { vendor: 'live', stranger: 'forged' } as const
const ROOTS = {
  vendor: [rootKey, intermediateKey],
  stranger: [
    keyOf('vendor_root', '10', chain.otherRoot),
    keyOf('vendor_root', '11', chain.otherIntermediate),
  ],
} as const

const account = (signer: Signer): AccountParts => ({
  settings: { merId },
  keys: [merchantKey, ...ROOTS[signer]],
})

const PAYER = {
  accNo: 'cDg4jpD9tKxlI4si91lomXcSjQeOyOxEFLmMc9BLmsJrLPMqmN0JIU+kJUD1MVYCfpXRs/GFGDwerg==',
  payCardNo: '621626******0018',
}

/** UnionPay dossier, section 2.5. A text with a blank, which a form writes as "+". */
const paymentOf = (told: Told): Message => ({
  ...noticeOf(PAYER),
  respMsg: 'transaction result',
  orderId: told.paymentId,
  queryId: told.channelPaymentId,
  txnTime: told.vendorTime ?? '',
  txnAmt: told.amountText,
})

/** UnionPay dossier, sections 3.2 and 4.1: a transaction of its own, which names the payment by `origQryId`. */
const refundOf = ({ payment, ...refund }: ToldRefund): Message => ({
  ...paymentOf(payment),
  txnType: '04',
  txnSubType: '00',
  orderId: refund.refundId,
  origQryId: payment.channelPaymentId,
  queryId: refund.channelRefundId,
  reqReserved: payment.paymentId,
  txnAmt: refund.amountText,
})

const formOf = (message: Message): string =>
  Object.entries(message)
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%20', '+')}`)
    .join('&')

/** What an answer repeats of its request. */
const echoOf = (body: string): Message => {
  const { accessType, bizType, encoding, merId: number, orderId, ...rest } = fieldsOf(body)
  const { txnSubType, txnTime, txnType, version } = rest
  const echo = { accessType, bizType, encoding, merId: number, orderId, txnSubType, txnTime }
  return Object.fromEntries(
    Object.entries({ ...echo, txnType, version }).map(([name, value]) => [name, value ?? '']),
  )
}

const fieldsOf = (body: string): Message => Object.fromEntries(new URLSearchParams(body))

const voice = (signer: Signer): Voice => {
  const sign = (message: Message): Message => signedBy(message, SIGNERS[signer])
  const answer = (message: Message): Response => new Response(rawOf(sign(message)))
  return {
    callback: (told) => ({
      headers: { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
      body: Buffer.from(formOf(sign({ ...paymentOf(told), respCode: told.state }))),
    }),
    created: ({ url, body }) =>
      answer({
        ...echoOf(body),
        ...PAYER,
        respCode: '00',
        ...(url.endsWith('/appTransReq.do')
          ? { tn: '736245498437280325601' }
          : { qrCode: 'https://qr.95516.com/00010000/62442401051450467846498' }),
      }),
    refused: ({ body }) =>
      answer({ ...echoOf(body), ...PAYER, respCode: '31', respMsg: '商户状态不正确[3100000]' }),
    found: ({ body }, told) => {
      const { bizType = '' } = echoOf(body)
      return answer({ ...paymentOf(told), bizType, respCode: '00', origRespCode: told.state })
    },
    absent: ({ body }) => answer({ ...echoOf(body), ...PAYER, respCode: '34' }),
    refund: {
      answered: ({ body }, { channelRefundId, amountText, payment }) =>
        answer({
          ...echoOf(body),
          ...PAYER,
          origQryId: payment.channelPaymentId,
          queryId: channelRefundId,
          respCode: '00',
          txnAmt: amountText,
        }),
      refused: ({ body }) =>
        answer({ ...echoOf(body), ...PAYER, respCode: '36', respMsg: '与原交易信息不符' }),
      unknownCode: ({ body }) => answer({ ...echoOf(body), ...PAYER, respCode: 'ZZ' }),
      found: ({ body }, refund) => {
        const { txnTime: asked = '' } = echoOf(body)
        const fate = { respCode: '00', origRespCode: refund.state, txnTime: asked }
        return answer({ ...refundOf(refund), ...fate })
      },
      absent: ({ body }) => answer({ ...echoOf(body), ...PAYER, respCode: '34' }),
      callback: (refund) => ({
        headers: { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
        body: Buffer.from(formOf(sign({ ...refundOf(refund), respCode: refund.state }))),
      }),
    },
    back: (told) => Object.entries(sign({ ...paymentOf(told), respCode: told.state })),
  }
}

const states = (means: ContractVendor['states'][number]['means'], codes: string) =>
  codes.split(' ').map((state) => ({ state, means }))

const refundStates = (means: RefundStateCase['means'], codes: string) =>
  codes.split(' ').map((state) => ({ state, means }))

const vendor: ContractVendor = {
  name: 'unionpay',
  strategy: unionpay,
  now,
  account,
  voice,
  handedOut: [{ method: 'page' }, { method: 'wap' }],
  narrowerExpiry: [],
  orderIn: ({ body }) => body,
  signedHeaders: [],
  sameMessage: FORM_REWRITINGS,
  answers: {
    stored: { status: 200, body: 'ok' },
    refused: { status: 500, body: 'fail' },
    rejected: { status: 500, body: 'fail' },
    unavailable: { status: 503, body: 'fail' },
  },
  // UnionPay dossier, section 2.6.
  states: [
    ...states('success', '00 A6'),
    ...states('money_moved', '42 74 75'),
    ...states('failed', '01 02 10 30 33 38 43 64 79 86 96'),
    ...states('unknown', '03 04 05 06 70 83 12 34 35 36 37 45 46 98 99'),
  ],
  paidState: '00',
  unknownState: 'ZZ',
  amountMinorMax: 999_999_999_999n,
  writeAmount: String,
  amountIn: (body) => fieldsOf(body)['txnAmt'] ?? '',
  amountTexts: [
    ['000000012800', 12_800n],
    ['0', undefined],
    ['-1', undefined],
    ['128.00', undefined],
    ['1e2', undefined],
    [' 1', undefined],
    ['1000000000000', undefined],
  ],
  channelPaymentId: '782603141015300001238',
  payerMarks: Object.values(PAYER),
  refund: {
    // UnionPay dossier, section 2.6; all of them stand in refund-notice.test.ts.
    states: [
      ...refundStates('succeeded', '00 A6'),
      ...refundStates('refused', '01 02 10 33 35 36 38 60 64 90 96'),
      ...refundStates('abnormal', '42 45 46 74 75'),
      ...refundStates('unknown', '03 04 05 06 70 83 12 34 37 98 99'),
    ],
    doneState: '00',
    unknownState: 'ZZ',
    amountToldIn: ['answered', 'found', 'callback'],
    amountIn: ({ body }) => fieldsOf(body)['txnAmt'] ?? '',
    channelRefundId: '512603141015300002348',
    // Section 4.1: 00 means that the refund was taken, and another code that it was not.
    answerMeans: 'accepted',
  },
}

describeContract(vendor)
