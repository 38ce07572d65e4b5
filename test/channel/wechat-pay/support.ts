import { createCipheriv, sign } from 'node:crypto'
import type { AccountKey } from '#channel/account'
import type { CallbackReading, PaymentRequest } from '#channel/channel'
import { cny } from '#domain/money'
import callbackFixture from '../../fixture/wechat-pay/callback.json'
import signingFixture from '../../fixture/wechat-pay/signing.json'
import verifyingFixture from '../../fixture/wechat-pay/verifying.json'
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

export const merchantPem = unarmour(signingFixture.privateKey)
export const vendorPem = unarmour(verifyingFixture.privateKeyG)
export const otherPem = unarmour(verifyingFixture.privateKeyJ)
export const vendorPublicPem = verifyingFixture.publicKeyG
export const merchantSerial = signingFixture.serial
/** The serial that the dossier's notifications name: that of a certificate of key G. */
export const certificateSerial = callbackFixture.serial
export const publicKeyId = 'PUB_KEY_ID_0114232134912410000000000000'
export const apiv3Key = callbackFixture.apiv3Key
export const mchid = '1900000109'
export const appid = 'wxd678efh567hg6787'

/** When the dossier's payment notification was signed. */
export const notifiedAt = 1_773_450_903

export const defaultKeys: readonly AccountKey[] = [
  keyOf('merchant_private', merchantSerial, merchantPem),
  keyOf('vendor_public', publicKeyId, publicOf(otherPem)),
  keyOf('vendor_public', certificateSerial, vendorPublicPem),
  keyOf('symmetric', 'first', apiv3Key),
]

/** A channel over the dossier's keys. */
export const buildChannel = channelBuilder({
  strategy: 'wechat-pay',
  at: atSecond(notifiedAt),
  settings: { mchid, appid },
  keys: defaultKeys,
})

/** The vendor's signature headers, made by node:crypto and never by the code under test. */
export function vendorHeaders(
  body: string | Uint8Array,
  options: {
    readonly seconds?: number
    readonly serial?: string
    readonly pem?: string
    readonly nonce?: string
  } = {},
): Record<string, string> {
  const timestamp = String(options.seconds ?? notifiedAt)
  const nonce = options.nonce ?? 'd824f2e086d3c1df967785d13fcd22ef'
  const message = Buffer.concat([
    Buffer.from(`${timestamp}\n${nonce}\n`),
    Buffer.from(body),
    Buffer.from('\n'),
  ])
  return {
    'wechatpay-timestamp': timestamp,
    'wechatpay-nonce': nonce,
    'wechatpay-serial': options.serial ?? publicKeyId,
    'wechatpay-signature': sign('sha256', message, options.pem ?? otherPem).toString('base64'),
  }
}

/** AES-GCM with the tag behind the text, as the vendor seals. */
export function seal(
  plain: string | Uint8Array,
  options: { readonly key?: string; readonly nonce?: string; readonly data?: string } = {},
): string {
  const nonce = options.nonce ?? 'fdasflkja484'
  const cipher = createCipheriv('aes-256-gcm', options.key ?? apiv3Key, nonce)
  cipher.setAAD(Buffer.from(options.data ?? 'transaction'))
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString(
    'base64',
  )
}

/** An event as the vendor sends it, around any plaintext. */
export function envelopeOf(
  plain: string,
  changes: { readonly id?: string; readonly eventType?: string; readonly key?: string } = {},
): string {
  return JSON.stringify({
    id: changes.id ?? '7b0c4b2e-5b0a-5d6a-9a36-0d5f4e0f1c09',
    create_time: '2026-03-14T09:15:03+08:00',
    resource_type: 'encrypt-resource',
    event_type: changes.eventType ?? 'TRANSACTION.SUCCESS',
    summary: '支付成功',
    resource: {
      original_type: 'transaction',
      algorithm: 'AEAD_AES_256_GCM',
      ciphertext: seal(plain, changes.key === undefined ? {} : { key: changes.key }),
      associated_data: 'transaction',
      nonce: 'fdasflkja484',
    },
  })
}

export const callbackOf = callbackAs('application/json')

type Fixture = typeof callbackFixture.payment

/** The headers of one of the dossier's notifications. */
export const fixtureHeaders = (fixture: Fixture): Record<string, string> => ({
  'wechatpay-timestamp': fixture.timestamp,
  'wechatpay-nonce': fixture.nonce,
  'wechatpay-serial': certificateSerial,
  'wechatpay-signature': fixture.signature,
})

export const reference = {
  paymentId,
  method: 'qr',
  createdAt: atSecond(notifiedAt),
} as const

export const requestOf = (changes: Partial<PaymentRequest> = {}): PaymentRequest => ({
  paymentId,
  method: 'qr',
  amount: cny(10_000n),
  subject: 'Image形象店-深圳腾大-QQ公仔',
  clientIp: '14.23.150.211',
  expiresAt: atSecond(notifiedAt + 900),
  callbackUrl: 'https://pay.example.com/callback/a',
  returnUrl: 'https://pay.example.com/return/a/p',
  payerOpenId: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o',
  ...changes,
})

export const orderOf = (changes: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    appid,
    mchid,
    out_trade_no: paymentId,
    transaction_id: '4200002603202603141234567890',
    trade_type: 'NATIVE',
    trade_state: 'SUCCESS',
    trade_state_desc: '支付成功',
    bank_type: 'OTHERS',
    success_time: '2026-03-14T09:15:02+08:00',
    payer: { openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' },
    amount: { total: 10_000, payer_total: 9000, currency: 'CNY', payer_currency: 'CNY' },
    ...changes,
  })

export const payment = callbackFixture.payment

/** Lets a channel read a body; signed with the public key of the tests unless headers say otherwise. */
export const read = (
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = vendorHeaders(body),
  built: Built = buildChannel(),
): Promise<CallbackReading> => built.channel.readCallback(callbackOf(built, body, headers))

/** Reads the dossier's payment notification with changed headers, at another time, or another body. */
export const readPayment = (
  changes: Readonly<Record<string, string>> = {},
  seconds: number = notifiedAt,
  body: string = payment.body,
): Promise<CallbackReading> =>
  read(body, { ...fixtureHeaders(payment), ...changes }, buildChannel({ at: atSecond(seconds) }))
