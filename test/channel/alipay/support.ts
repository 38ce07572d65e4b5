import { generateKeyPairSync, sign } from 'node:crypto'
import type { AccountKey } from '#channel/account'
import type { CallbackReading, PaymentRequest } from '#channel/channel'
import { cny } from '#domain/money'
import derived from '../../fixture/alipay/derived.json'
import { callbackAs, channelBuilder, keyOf, paymentId, publicOf } from '../support.ts'
import type { Built } from '../support.ts'

/** The accounts of the dossier's derived vectors. */
export const appId = '2021000000000001'
export const sellerId = '2088000000000001'
/** `2026-01-31 23:59:59` in Beijing, when the derived vectors were signed. */
export const now = new Date('2026-01-31T15:59:59Z')

export const newPem = (bits = 2048): string =>
  String(
    generateKeyPairSync('rsa', { modulusLength: bits }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    }),
  )

/** Key K-D of the dossier signs for the merchant here; a fresh one signs for the vendor. */
export const merchantKey = derived.pkcs8
export const merchantPem = `-----BEGIN ${'PRIVATE'} KEY-----\n${derived.pkcs8}\n-----END ${'PRIVATE'} KEY-----\n`
export const vendorPem = newPem()
export const otherPem = newPem()

export const defaultKeys: readonly AccountKey[] = [
  keyOf('merchant_private', 'app', merchantKey),
  keyOf('vendor_public', 'alipay', publicOf(vendorPem)),
]

/** An account whose vendor is K-D, as in the vectors that Alipay is said to have signed. */
export const vectorKeys: readonly AccountKey[] = [
  keyOf('merchant_private', 'app', otherPem),
  keyOf('vendor_public', 'kd', derived.publicKey),
]

export const buildChannel = channelBuilder({
  strategy: 'alipay',
  at: now,
  settings: { app_id: appId, seller_id: sellerId },
  keys: defaultKeys,
})

export type Fields = Readonly<Record<string, string>>

/** The vendor's rule for notifications, written again with node:crypto: never the code under test. */
export function noticeText(
  fields: Fields,
  left: readonly string[] = ['sign', 'sign_type'],
): string {
  return Object.entries(fields)
    .filter(([name, value]) => !left.includes(name) && value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

export const signText = (
  text: string | Uint8Array,
  pem: string = vendorPem,
  algorithm = 'sha256',
): string => sign(algorithm, Buffer.from(text), pem).toString('base64')

export const formBody = (fields: Fields): string => new URLSearchParams({ ...fields }).toString()

/** A notification as the vendor sends it in UTF-8. */
export const signedBody = (fields: Fields, pem: string = vendorPem): string =>
  formBody({ ...fields, sign: signText(noticeText(fields), pem) })

export const channelPaymentId = '2026013122000000000000000001'

/** A payment's notification (dossier, section 4.3). */
export const noticeOf = (changes: Fields = {}): Fields => ({
  notify_time: '2026-01-31 23:59:59',
  notify_type: 'trade_status_sync',
  notify_id: '2026013100222000000000000000000001',
  charset: 'utf-8',
  version: '1.0',
  sign_type: 'RSA2',
  app_id: appId,
  auth_app_id: appId,
  out_trade_no: paymentId,
  trade_no: channelPaymentId,
  trade_status: 'TRADE_SUCCESS',
  total_amount: '88.88',
  receipt_amount: '80.00',
  buyer_pay_amount: '80.00',
  refund_fee: '0.00',
  seller_id: sellerId,
  buyer_id: '2088722003899169',
  subject: '测试 商品+A & 50% off',
  gmt_create: '2026-01-31 23:59:40',
  gmt_payment: '2026-01-31 23:59:58',
  fund_bill_list: '[{"amount":"88.88","fundChannel":"ALIPAYACCOUNT"}]',
  ...changes,
})

export const without = (fields: Fields, ...names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))

export const callbackOf = callbackAs('application/x-www-form-urlencoded; charset=utf-8')

export const read = (
  body: string | Uint8Array,
  built: Built = buildChannel(),
): Promise<CallbackReading> => built.channel.readCallback(callbackOf(built, body))

export const readNotice = (changes: Fields = {}): Promise<CallbackReading> =>
  read(signedBody(noticeOf(changes)))

export const reference = { paymentId, method: 'qr', createdAt: now } as const

export const requestOf = (changes: Partial<PaymentRequest> = {}): PaymentRequest => ({
  paymentId,
  method: 'page',
  amount: cny(8888n),
  subject: '测试 商品+A',
  clientIp: '14.23.150.211',
  expiresAt: new Date(now.getTime() + 900_000),
  callbackUrl: 'https://pay.example.com/callback/a',
  returnUrl: 'https://pay.example.com/return/a/p',
  ...changes,
})
