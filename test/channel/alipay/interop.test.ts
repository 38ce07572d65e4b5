import { describe, expect, test } from 'bun:test'
import { AlipaySdk } from 'alipay-sdk'
import { readCertificates } from '#channel/certificate'
import { importVerifyingKey, verify } from '#channel/crypto-native'
import { digestOf, rootDigestOf } from '#channel/alipay/key'
import { readAnswer, requestText } from '#channel/alipay/signature'
import { assert } from '#domain/assert'
import certificates from '../../fixture/alipay/certificate.json'
import derived from '../../fixture/alipay/derived.json'
import published from '../../fixture/alipay/published.json'
import fixture from '../../fixture/alipay/refund.json'
import { contentOf, partOf, paymentId, publicOf, reasonOf, refundId } from '../support.ts'
import { refundRequest } from './refund-support.ts'
import {
  appId,
  merchantPem,
  noticeOf,
  otherPem,
  read,
  reference,
  signedBody,
  vendorPem,
} from './support.ts'
import type { Fields } from './support.ts'
import { create, done, paymentOf, refusal, startVendor } from './vendor.ts'
import type { Heard } from './vendor.ts'

/** The vendor's own client, as our merchant; its Alipay public key is the test vendor's. */
const theirs = (options: Readonly<Record<string, unknown>> = {}): AlipaySdk =>
  new AlipaySdk({
    appId,
    keyType: 'PKCS8',
    privateKey: derived.pkcs8,
    alipayPublicKey: publicOf(vendorPem).replace(/-----[^-]+-----|\s/g, ''),
    ...options,
  })

/** The same client with the merchant's public key: it verifies what the merchant signs. */
const verifier = theirs({ alipayPublicKey: derived.publicKey })

const fieldsOf = (text: string): Fields => Object.fromEntries(new URLSearchParams(text))

function isOurs(fields: Fields): boolean {
  const key = importVerifyingKey(publicOf(merchantPem))
  assert(key !== undefined, 'K-D is a pair')
  return verify(key, Buffer.from(requestText(fields)), fields['sign'] ?? '')
}

const contentIn = (heard: Heard | undefined): unknown =>
  JSON.parse(heard?.body['biz_content'] ?? '')

const order = { out_trade_no: paymentId, total_amount: '88.88', subject: '测试 商品+A' }

describe('alipay-sdk signs what we verify', () => {
  test('an order string', () => {
    const fields = fieldsOf(
      theirs().sdkExecute('alipay.trade.app.pay', {
        bizContent: order,
        notifyUrl: 'https://pay.example.com/n?x=1&y=a+b',
      }),
    )
    expect(isOurs(fields)).toBe(true)
    expect(isOurs({ ...fields, notify_url: 'https://pay.example.com/n' })).toBe(false)
  })

  test('an address of the cashier', () => {
    const url = theirs().pageExecute('alipay.trade.page.pay', 'GET', {
      bizContent: order,
      returnUrl: 'https://shop.example.com/back',
    })
    expect(isOurs(fieldsOf(url.slice(url.indexOf('?') + 1)))).toBe(true)
  })

  test('a request, and it verifies the answer that we verify', async () => {
    await using vendor = startVendor([done(paymentOf()), done(paymentOf())])
    const sdk = theirs({ gateway: `http://${vendor.host}/gateway.do` })
    const result = await sdk.exec('alipay.trade.query', {
      bizContent: { out_trade_no: paymentId },
    })
    expect(result).toMatchObject({ code: '10000', tradeStatus: 'TRADE_SUCCESS' })
    const [heard] = vendor.heard
    expect(isOurs({ ...heard?.query, ...heard?.body })).toBe(true)
    const outcome = await vendor.channel.queryPayment(reference, vendor.record)
    expect(outcome).toMatchObject({ kind: 'found', facts: { vendorState: 'success' } })
  })

  test('a refund and its query are what alipay-sdk sends, and it verifies what we verify', async () => {
    const [refunded] = fixture.refunded
    const [queried] = fixture.queried
    const replies = [refunded?.node, queried?.node].map((node) => done({ ...node }))
    await using vendor = startVendor([...replies, ...replies])
    const sdk = theirs({ gateway: `http://${vendor.host}/gateway.do` })
    const named = { outTradeNo: paymentId, outRequestNo: refundId }
    const result = await sdk.exec('alipay.trade.refund', {
      bizContent: { ...named, refundAmount: '30.05', refundReason: '退货' },
    })
    expect(result).toMatchObject({ code: '10000', fundChange: 'Y', refundFee: '60.10' })
    const asked = await sdk.exec('alipay.trade.fastpay.refund.query', {
      bizContent: { ...named, queryOptions: ['gmt_refund_pay'] },
    })
    expect(asked).toMatchObject({ refundStatus: 'REFUND_SUCCESS', refundAmount: '30.05' })
    const part = partOf(vendor)
    const outcome = await part.submit(refundRequest, vendor.record)
    expect(outcome).toMatchObject({ kind: 'answered', facts: { refundState: 'succeeded' } })
    expect(await part.query(refundRequest, vendor.record)).toMatchObject({
      kind: 'found',
      facts: { refundState: 'succeeded', amountMinor: 3005n },
    })
    const [theirRefund, theirQuery, ourRefund, ourQuery] = vendor.heard
    expect(contentIn(ourRefund)).toEqual(contentIn(theirRefund))
    expect(contentIn(ourQuery)).toEqual(contentIn(theirQuery))
    for (const heard of [ourRefund, ourQuery]) {
      expect(verifier.checkNotifySignV2({ ...heard?.query, ...heard?.body })).toBe(true)
    }
  })

  test('a message in the role of the vendor', async () => {
    const message = theirs({ privateKey: vendorPem.replace(/-----[^-]+-----|\s/g, '') }).sdkExecute(
      'alipay.example',
      { msg_method: 'alipay.trade.refund.depositback.completed', notify_id: 'n1' },
    )
    expect(contentOf(await read(message))).toMatchObject({
      eventKey: 'ntf:n1',
      facts: { kind: 'other', eventType: 'alipay.trade.refund.depositback.completed' },
    })
    expect(reasonOf(await read(message.replace('n1', 'n2')))).toBe('bad_signature')
  })
})

describe('alipay-sdk verifies what we sign', () => {
  test('an order string', async () => {
    await using vendor = startVendor([])
    const outcome = await create(vendor, { method: 'app' })
    assert(
      outcome.kind === 'created' && outcome.nextAction.type === 'sdk',
      'an app gets an order string',
    )
    const fields = fieldsOf(outcome.nextAction.params['orderString'] ?? '')
    expect(verifier.checkNotifySignV2(fields)).toBe(true)
    expect(verifier.checkNotifySignV2({ ...fields, app_id: 'x' })).toBe(false)
  })

  test.each(['page', 'wap'] as const)('a form for %s', async (method) => {
    await using vendor = startVendor([])
    const outcome = await create(vendor, { method })
    assert(outcome.kind === 'created' && outcome.nextAction.type === 'form', 'it is a form')
    const { action, fields } = outcome.nextAction
    const sent = { ...fieldsOf(action.slice(action.indexOf('?') + 1)), ...fields }
    expect(verifier.checkNotifySignV2(sent)).toBe(true)
  })

  test('a request', async () => {
    await using vendor = startVendor([refusal('40004', 'ACQ.TRADE_NOT_EXIST')])
    await vendor.channel.queryPayment(reference, vendor.record)
    const [heard] = vendor.heard
    expect(verifier.checkNotifySignV2({ ...heard?.query, ...heard?.body })).toBe(true)
  })
})

describe('both believe the same', () => {
  const changed = signedBody(noticeOf()).replace('88.88', '88.89')

  test.each([
    ['genuine', signedBody(noticeOf()), true],
    ['with empty fields', signedBody(noticeOf({ body: '' })), true],
    ['changed', changed, false],
    ['of a stranger', signedBody(noticeOf(), otherPem), false],
  ])('of a notification: %s', async (_, body, isGood) => {
    const fields = Object.fromEntries(
      Object.entries(fieldsOf(body)).filter(([, value]) => value !== ''),
    )
    expect(theirs().checkNotifySignV2(fields)).toBe(isGood)
    expect(reasonOf(await read(body)) === 'verified').toBe(isGood)
  })

  test.each([
    ['T-R2', published.r2.body, 'alipay.open.file.upload', published.r2.publicKey],
    ['T-R3', published.r3.body, 'alipay.security.risk.content.analyze', published.r3.publicKey],
    ['D6', derived.d6.body, 'alipay.trade.query', derived.publicKey],
  ])('of an answer: %s', (_, body, api, publicKey) => {
    const sdk = theirs({ alipayPublicKey: publicKey })
    const name = `${api.replaceAll('.', '_')}_response`
    const answer = readAnswer(Buffer.from(body), api)
    expect(Buffer.from(answer?.run ?? '').toString()).toBe(sdk.getSignStr(body, name))
    expect(() => sdk.checkResponseSign(body, name, answer?.signature ?? '', '')).not.toThrow()
  })

  test('of certificates', () => {
    const sdk = theirs({
      appCertContent: certificates.app,
      alipayRootCertContent: certificates.rootBundle,
      alipayPublicCertContent: certificates.platform,
    })
    const [app] = readCertificates(certificates.app)
    const [platform] = readCertificates(certificates.platform)
    expect(sdk.config).toMatchObject({
      appCertSn: app && digestOf(app),
      alipayCertSn: platform && digestOf(platform),
      alipayRootCertSn: rootDigestOf(certificates.rootBundle),
    })
  })
})
