import { generateKeyPairSync, sign } from 'node:crypto'
import type { AccountKey } from '#channel/account'
import type { CallbackReading, PaymentRequest } from '#channel/channel'
import { assert } from '#domain/assert'
import type { Method, Wallet } from '#domain/method'
import { cny } from '#domain/money'
import refundFixture from '../../fixture/pingpp/refund.json'
import signing from '../../fixture/pingpp/signing.json'
import {
  atSecond,
  callbackAs,
  channelBuilder,
  keyOf,
  paymentId,
  publicOf,
  unarmour,
} from '../support.ts'
import type { Built } from '../support.ts'

/** The fixture's armour keeps secret scanners quiet; the key is the sample that every client of the vendor has. */
export const merchantPem = unarmour(signing.privateKey)
export const liveSecret = 'sk_live_abcdefghijklmnopqrstuvwx'
export const testSecret = 'sk_test_ibbTe5jLGCi5rzfH4OqPW9KC'
export const app = 'app_1Gqj58ynP0mHeX1q'
/** The time of the dossier's derived vectors. */
export const signedAt = Number(signing.timestamp)

function newPem(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
}

/** Two keys of the vendor, and one of somebody else. No private key of the vendor is published. */
export const vendorPem = newPem()
export const newerPem = newPem()
export const strangerPem = newPem()

export const defaultKeys: readonly AccountKey[] = [
  keyOf('api_secret', 'secret', liveSecret),
  keyOf('merchant_private', 'own', merchantPem),
  keyOf('vendor_public', 'first', publicOf(vendorPem)),
  keyOf('vendor_public', 'second', publicOf(newerPem)),
]

/** The default keys with other keys of the vendor. */
export const withVendorKeys = (
  publicPems: readonly string[],
  keys: readonly AccountKey[] = defaultKeys,
): readonly AccountKey[] => [
  ...keys.filter((key) => key.purpose !== 'vendor_public'),
  ...publicPems.map((pem, index) => keyOf('vendor_public', `key ${index}`, pem)),
]

export const testKeys: readonly AccountKey[] = defaultKeys.map((key) =>
  key.purpose === 'api_secret' ? keyOf('api_secret', 'secret', testSecret) : key,
)

export const buildChannel = channelBuilder({
  strategy: 'pingpp',
  at: atSecond(signedAt),
  settings: { app },
  keys: defaultKeys,
})

export const testChannel = (): Built => buildChannel({ keys: testKeys, settings: { mode: 'test' } })

/** The vendor's signature header, made by node:crypto and never by the code under test. */
export const vendorHeaders = (
  body: string | Uint8Array,
  pem: string = vendorPem,
): Record<string, string> => ({
  'x-pingplusplus-signature': sign('sha256', Buffer.from(body), pem).toString('base64'),
})

export const callbackOf = callbackAs('application/json')

/** Lets a channel read a body, signed with the vendor's key unless headers say otherwise. */
export const read = (
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = vendorHeaders(body),
  built: Built = buildChannel(),
): Promise<CallbackReading> => built.channel.readCallback(callbackOf(built, body, headers))

export const vendorNumber = 'ch_100240816592822384640019'

export const reference = {
  paymentId,
  method: 'qr',
  createdAt: atSecond(signedAt),
  vendorProduct: 'alipay_qr',
} as const

export const requestOf = (changes: Partial<PaymentRequest> = {}): PaymentRequest => ({
  paymentId,
  wallet: 'alipay',
  method: 'qr',
  amount: cny(12_800n),
  subject: '测试商品',
  clientIp: '14.23.150.211',
  expiresAt: atSecond(signedAt + 900),
  callbackUrl: 'https://pay.example.com/callback/a',
  returnUrl: 'https://pay.example.com/return/a/p',
  payerOpenId: 'o7xEMsySBFG3MVHI-9VsAJX-j50W',
  ...changes,
})

/** A payment as the vendor holds it (dossier, section 2.2). */
export const vendorPayment = (changes: Readonly<Record<string, unknown>> = {}) => ({
  id: vendorNumber,
  object: 'charge',
  created: signedAt,
  livemode: true,
  paid: false,
  refunded: false,
  reversed: false,
  app,
  channel: 'alipay_qr',
  order_no: paymentId,
  client_ip: '14.23.150.211',
  amount: 12_800,
  amount_settle: 12_723,
  currency: 'cny',
  subject: '测试商品',
  body: '测试商品',
  extra: {},
  time_paid: null,
  time_expire: signedAt + 900,
  time_settle: null,
  transaction_no: null,
  refunds: { object: 'list', url: '', has_more: false, data: [] },
  amount_refunded: 0,
  failure_code: null,
  failure_msg: null,
  metadata: {},
  credential: { object: 'credential', alipay_qr: 'https://qr.alipay.com/bax00001' },
  description: null,
  ...changes,
})

/** What a refund calls the vendor's number of its payment; our names have another word for it. */
export const PAYMENT_FIELD = 'charge'

/** A refund that is done, as the vendor holds it (dossier, section 3). */
export const vendorRefund = (changes: Readonly<Record<string, unknown>> = {}) => {
  const done = refundFixture.states.find(({ means }) => means === 'succeeded')?.refund
  assert(done !== undefined, 'the fixture has a refund that is done')
  return { ...done, ...changes }
}

export const paid = { paid: true, time_paid: signedAt + 5, transaction_no: '2026031422001' }

/** An event as the vendor sends it (dossier, section 4.1). */
export const eventOf = (
  object: unknown = vendorPayment({ ...paid, credential: {} }),
  changes: Readonly<Record<string, unknown>> = {},
): string =>
  JSON.stringify({
    id: 'evt_400260314000000000000001',
    created: signedAt + 5,
    livemode: true,
    type: 'charge.succeeded',
    data: { object },
    object: 'event',
    request: 'iar_mrrvj9ivPOaHPOi9aLPWPqvT',
    pending_webhooks: 0,
    ...changes,
  })

/** Dossier, section 2.3: our pairs and the vendor's names. */
export const PRODUCTS: readonly (readonly [Wallet, Method, string])[] = [
  ['alipay', 'page', 'alipay_pc_direct'],
  ['alipay', 'wap', 'alipay_wap'],
  ['alipay', 'qr', 'alipay_qr'],
  ['alipay', 'app', 'alipay'],
  ['wechat_pay', 'jsapi', 'wx_pub'],
  ['wechat_pay', 'qr', 'wx_pub_qr'],
  ['wechat_pay', 'mini_program', 'wx_lite'],
  ['wechat_pay', 'h5', 'wx_wap'],
  ['wechat_pay', 'app', 'wx'],
  ['unionpay', 'page', 'upacp_pc'],
  ['unionpay', 'wap', 'upacp_wap'],
  ['unionpay', 'app', 'upacp'],
  ['unionpay', 'qr', 'upacp_qr'],
]
