import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import type { Account, AccountKey } from '#channel/account'
import type { CallbackReading, Channel, PaymentRequest, RawCallback } from '#channel/channel'
import type { Exchange } from '#channel/http'
import { createRegistry } from '#channel/registry'
import type { ChannelDeps } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { assert } from '#domain/assert'
import { newChannelAccountId, parsePaymentId, parseRefundId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import type { Method, Wallet } from '#domain/method'
import { cny } from '#domain/money'
import type { NotificationContent } from '#domain/notification'
import { Secret } from '#domain/secret'
import type { Clock } from '#domain/time'
import refundFixture from '../../fixture/pingpp/refund.json'
import signing from '../../fixture/pingpp/signing.json'

/** The fixture's armour keeps secret scanners quiet; the key is the sample that every client of the vendor has. */
export const merchantPem = signing.privateKey.replaceAll('TESTING KEY', 'PRIVATE KEY')
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

export const publicOf = (privatePem: string): string =>
  String(createPublicKey(privatePem).export({ type: 'spki', format: 'pem' }))

export interface MovableClock extends Clock {
  set(seconds: number): void
}

export function clockAt(seconds: number): MovableClock {
  let now = seconds
  return {
    now: () => new Date(now * 1000),
    set(value) {
      now = value
    },
  }
}

export const keyOf = (
  purpose: AccountKey['purpose'],
  serial: string,
  value: string,
  dates: { readonly validFrom?: Date; readonly validUntil?: Date } = {},
): AccountKey => ({ purpose, serial, value: new Secret(value), ...dates })

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

export interface ChannelSetup {
  readonly seconds?: number
  readonly keys?: readonly AccountKey[]
  readonly settings?: Readonly<Record<string, unknown>>
  readonly deps?: Partial<ChannelDeps>
}

export interface Built {
  readonly channel: Channel
  readonly clock: MovableClock
  readonly exchanges: Exchange[]
  readonly record: (exchange: Exchange) => void
  readonly account: Account
}

/** A channel built the way the gateway builds it. */
export function buildChannel(setup: ChannelSetup = {}): Built {
  const clock = clockAt(setup.seconds ?? signedAt)
  const exchanges: Exchange[] = []
  const account: Account = {
    id: newChannelAccountId(),
    strategy: 'pingpp',
    settings: { app, ...setup.settings },
    keys: setup.keys ?? defaultKeys,
  }
  const registry = createRegistry(strategies, {
    clock,
    fetch: () => Promise.reject(new Error('this test has no vendor')),
    localHosts: [],
    newNonce: () => crypto.randomUUID().replaceAll('-', ''),
    ...setup.deps,
  })
  return {
    channel: registry.get(account, '1'),
    clock,
    exchanges,
    record: (exchange) => exchanges.push(exchange),
    account,
  }
}

export const testChannel = (): Built => buildChannel({ keys: testKeys, settings: { mode: 'test' } })

/** The vendor's signature header, made by node:crypto and never by the code under test. */
export const vendorHeaders = (
  body: string | Uint8Array,
  pem: string = vendorPem,
): Record<string, string> => ({
  'x-pingplusplus-signature': sign('sha256', Buffer.from(body), pem).toString('base64'),
})

export function callbackOf(
  built: Built,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>>,
): RawCallback {
  return {
    account: built.account.id,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(body),
  }
}

/** Lets a channel read a body, signed with the vendor's key unless headers say otherwise. */
export const read = (
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = vendorHeaders(body),
  built: Built = buildChannel(),
): Promise<CallbackReading> => built.channel.readCallback(callbackOf(built, body, headers))

export function contentOf(reading: CallbackReading): NotificationContent {
  assert(reading.kind === 'verified', `expected verified, found ${reasonOf(reading)}`)
  return reading.notification
}

export const reasonOf = (reading: CallbackReading): string =>
  reading.kind === 'rejected' ? reading.reason : 'verified'

export const paymentId: PaymentId = (() => {
  const id = parsePaymentId('p0123456789abcdefghijklmno')
  assert(id !== undefined, 'the test id is a payment id')
  return id
})()

export const refundId: RefundId = (() => {
  const id = parseRefundId('r0123456789abcdefghijklmno')
  assert(id !== undefined, 'the test id is a refund id')
  return id
})()

export const vendorNumber = 'ch_100240816592822384640019'

export const reference = {
  paymentId,
  method: 'qr',
  createdAt: new Date(signedAt * 1000),
  vendorProduct: 'alipay_qr',
} as const

export const requestOf = (changes: Partial<PaymentRequest> = {}): PaymentRequest => ({
  paymentId,
  wallet: 'alipay',
  method: 'qr',
  amount: cny(12_800n),
  subject: '测试商品',
  clientIp: '14.23.150.211',
  expiresAt: new Date((signedAt + 900) * 1000),
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
