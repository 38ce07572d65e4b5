import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'

import { certificateNumber, certificatesOf } from './certificate-number.ts'
import type { TestMerchant } from './merchant.ts'
import { APP_ID, CERTIFICATE_APP_ID, sale, startTestMerchant } from './merchant.ts'

const QUERY = 'alipay.trade.query'

let now = new Date('2026-01-31T23:59:59+08:00')
let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => now })
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

const ask = (how: Parameters<TestMerchant['call']>[2] = {}) =>
  merchant.call(QUERY, { out_trade_no: 'NOBODY' }, how)

describe('the gateway', () => {
  test.each(['POST', 'GET'] as const)(
    'answers a good request by %s, signed',
    async (httpMethod) => {
      const answer = await ask({ httpMethod })
      expect(answer).toMatchObject({
        status: 200,
        isGenuine: true,
        nodeName: 'alipay_trade_query_response',
        certificateNumber: undefined,
        node: {
          code: '40004',
          msg: 'Business Failed',
          sub_code: 'ACQ.TRADE_NOT_EXIST',
          out_trade_no: 'NOBODY',
          buyer_pay_amount: '0.00',
        },
      })
      expect(answer.headers.get('content-type')).toBe('text/html;charset=utf-8')
      expect(answer.headers.get('trace_id')).toMatch(/^[0-9a-f]{32}$/)
    },
  )

  test('speaks GBK to one who asks in GBK', async () => {
    const answer = await ask({ charset: 'GBK' })
    expect(answer).toMatchObject({ isGenuine: true, node: { sub_msg: '交易不存在' } })
    const made = await merchant.call('alipay.trade.precreate', sale('GBK0001'), { charset: 'GBK' })
    expect(made.node).toMatchObject({ code: '10000' })
    merchant.emulator.enter('GBK0001')
    expect(merchant.emulator.trade('GBK0001')?.offer.subject).toBe('测试 tea')
  })

  test('is not reached on other paths or by other methods', async () => {
    const { url, gatewayUrl } = merchant.emulator
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404)
    expect((await fetch(gatewayUrl, { method: 'PUT' })).status).toBe(404)
  })

  test.each([
    ['method', 'isv.missing-method', '40001'],
    ['app_id', 'isv.missing-app-id', '40001'],
  ])('does not sign when it does not know who asks: %s', async (name, subCode, code) => {
    const answer = await ask({ parameters: { [name]: undefined } })
    expect(answer).toMatchObject({ isGenuine: undefined, node: { code, sub_code: subCode } })
  })

  test('does not sign for an unknown app, and says so in the method node', async () => {
    const answer = await ask({ parameters: { app_id: '2021999999999999' } })
    expect(answer).toMatchObject({
      isGenuine: undefined,
      nodeName: 'alipay_trade_query_response',
      node: { code: '40002', sub_code: 'isv.invalid-app-id' },
    })
  })

  test('calls a method that it does not know an error', async () => {
    const answer = await merchant.call('alipay.trade.dance', {})
    expect(answer).toMatchObject({
      isGenuine: undefined,
      nodeName: 'error_response',
      node: { sub_code: 'isv.invalid-method' },
    })
  })

  test.each([
    [{ sign_type: undefined }, 'isv.missing-signature-type', '40001'],
    [{ timestamp: undefined }, 'isv.missing-timestamp', '40001'],
    [{ version: undefined }, 'isv.missing-version', '40001'],
    [{ sign_type: 'RSA' }, 'isv.missing-signature-config', '40003'],
    [{ sign_type: 'MD5' }, 'isv.invalid-signature-type', '40002'],
    [{ version: '2.0' }, 'isv.invalid-parameter', '40002'],
    [{ format: 'XML' }, 'isv.invalid-format', '40002'],
    [{ charset: 'latin1' }, 'isv.invalid-charset', '40002'],
    [{ encrypt_type: 'AES' }, 'isv.invalid-encrypt-type', '40002'],
    [{ app_auth_token: 'T' }, 'aop.invalid-app-auth-token', '20001'],
    [{ notify_url: `https://a/${'x'.repeat(250)}` }, 'isv.invalid-parameter', '40002'],
    // A server in UTC is eight hours late.
    [{ timestamp: '2026-01-31 15:59:59' }, 'isv.invalid-timestamp', '40002'],
    [{ timestamp: '2026-01-31T23:59:59' }, 'isv.invalid-timestamp', '40002'],
    [{ biz_content: '{' }, 'isv.illegal-json', '40002'],
    [{ sign: 'AAAA' }, 'isv.invalid-signature', '40002'],
  ])('refuses %p with %s, signed', async (parameters, subCode, code) => {
    const answer = await ask({ parameters })
    expect(answer).toMatchObject({ isGenuine: true, node: { code, sub_code: subCode } })
  })

  test.each([[{ extra: '1' }], [{ app_auth_token: '' }], [{ biz_content: '{"trade_no":"1"}' }]])(
    'refuses what was not signed: %p',
    async (unsigned) => {
      const { node } = await ask({ unsigned })
      expect(node['sub_code']).toMatch(/^(isv.invalid-signature|aop.*)$/)
    },
  )

  test('takes an additional parameter that was signed, empty or not', async () => {
    const { node } = await ask({ parameters: { alipay_sdk: 'x-1.0', terminal_type: '' } })
    expect(node['sub_code']).toBe('ACQ.TRADE_NOT_EXIST')
  })

  test('refuses a parameter that comes twice', async () => {
    const parameters = merchant.sign(QUERY, { out_trade_no: 'A' })
    const query = new URLSearchParams([...parameters, ['charset', 'utf-8']])
    const answer = await fetch(`${merchant.emulator.gatewayUrl}?${query}`)
    expect(await answer.text()).toContain('isv.suspected-attack')
  })
})

describe('certificate mode', () => {
  const appId = CERTIFICATE_APP_ID

  test('names the certificate that signs', async () => {
    const answer = await ask({ appId })
    expect(answer.isGenuine).toBe(true)
    expect(answer.certificateNumber).toBe(merchant.keys.vendor.certificate.number)
  })

  test.each([
    [{ app_cert_sn: undefined }, 'isv.missing-app-cert-sn'],
    [{ alipay_root_cert_sn: undefined }, 'isv.missing-alipay-root-cert-sn'],
    [{ app_cert_sn: '0'.repeat(32) }, 'isv.app-cert-not-exist'],
    [{ alipay_root_cert_sn: '0'.repeat(32) }, 'isv.app-cert-not-exist'],
  ])('refuses %p with %s', async (parameters, subCode) => {
    const answer = await ask({ appId, parameters })
    expect(answer.node).toMatchObject({ code: '40002', sub_code: subCode })
  })

  test('refuses an app whose certificate has ended', async () => {
    const before = now
    now = new Date(Date.now() + 6 * 366 * 24 * 3600 * 1000)
    expect((await ask({ appId })).node).toMatchObject({ sub_code: 'isv.app-cert-expired' })
    now = before
  })

  test('hands out a rotated certificate that leads to the root', async () => {
    const { certificate, rootPem } = await merchant.emulator.rotateCertificate()
    const answer = await ask({ appId })
    expect(answer).toMatchObject({ isGenuine: true, certificateNumber: certificate.number })
    expect(certificate.number).not.toBe(merchant.keys.vendor.certificate.number)
    const biz = { alipay_cert_sn: certificate.number }
    const { node } = await merchant.call('alipay.open.app.alipaycert.download', biz, { appId })
    const pem = Buffer.from(String(node['alipay_cert_content']), 'base64').toString()
    expect(certificateNumber(pem)).toBe(certificate.number)
    const [leaf = '', intermediate = ''] = certificatesOf(pem)
    const root = new X509Certificate(certificatesOf(rootPem)[1] ?? '')
    const issuer = new X509Certificate(intermediate)
    expect(new X509Certificate(leaf).verify(issuer.publicKey)).toBe(true)
    expect(issuer.verify(root.publicKey)).toBe(true)
    expect(issuer.checkIssued(root)).toBe(true)
  })

  test('can hand out one that leads nowhere', async () => {
    const { certificate, rootPem } = await merchant.emulator.rotateCertificate({ isForeign: true })
    const [, intermediate = ''] = certificatesOf(certificate.certificatePem)
    const root = new X509Certificate(certificatesOf(rootPem)[1] ?? '')
    expect(new X509Certificate(intermediate).verify(root.publicKey)).toBe(false)
    const biz = { alipay_cert_sn: 'f'.repeat(32) }
    const unknown = await merchant.call('alipay.open.app.alipaycert.download', biz, { appId })
    expect(unknown.node).toMatchObject({ sub_code: 'isv.invalid-parameter' })
  })
})

describe('the fault panel of the API', () => {
  test.each([
    ['isp.unknow-error', '20000'],
    ['aop.unknow-error', '20000'],
    ['aop.ACQ.SYSTEM_ERROR', '40004'],
    ['AQC.SYSTEM_ERROR', '40004'],
    ['isv.app-call-limited', '40005'],
    ['isv.method-call-limited', '40005'],
    ['isv.insufficient-isv-permissions', '40006'],
    ['isv.invalid-app-id', '40002'],
    ['aop.app-auth-token-time-out', '20001'],
  ])('refuses once with %s', async (refuseWith, code) => {
    merchant.emulator.setKnobs({ refusals: 1, refuseWith })
    expect((await ask()).node).toMatchObject({ code, sub_code: refuseWith })
    expect((await ask()).node).toMatchObject({ sub_code: 'ACQ.TRADE_NOT_EXIST' })
  })

  test('leaves the signature out, or makes a wrong one', async () => {
    merchant.emulator.setKnobs({ unsignedAnswers: 1, badlySignedAnswers: 1 })
    expect((await ask()).isGenuine).toBe(undefined)
    expect((await ask()).isGenuine).toBe(false)
    expect((await ask()).isGenuine).toBe(true)
  })

  test('escapes slashes and signs them so', async () => {
    merchant.emulator.setKnobs({ escapedSlashes: true })
    const answer = await merchant.call('alipay.trade.precreate', sale('SLASH01'))
    expect(answer.text).toContain(String.raw`https:\/\/qr.alipay.com\/bax`)
    expect(answer.isGenuine).toBe(true)
  })

  test('commits and answers that the service is away', async () => {
    merchant.emulator.setKnobs({ failAfterCommit: 1 })
    const biz = sale('COMMIT1', { buyer_open_id: 'open' })
    const answer = await merchant.call('alipay.trade.create', biz)
    expect(answer).toMatchObject({ isGenuine: true, node: { code: '20000' } })
    expect(merchant.emulator.trade('COMMIT1')?.state).toBe('WAIT_BUYER_PAY')
  })

  test('lets the notice overtake the answer of the create', async () => {
    merchant.emulator.setKnobs({ callbackBeforeAnswer: true })
    const how = { parameters: { notify_url: merchant.notifyUrl } }
    await merchant.call('alipay.trade.create', sale('OVERTAKE', { buyer_id: '2088' }), how)
    expect(merchant.received.at(-1)?.fields['out_trade_no']).toBe('OVERTAKE')
  })

  test('signs with another key after a rotation', async () => {
    const before = merchant.emulator.vendorKeys().publicKeyPem
    const { publicKeyPem } = await merchant.emulator.rotateKey()
    expect(publicKeyPem).not.toBe(before)
    expect((await ask()).isGenuine).toBe(true)
  })

  test('writes down what was asked', async () => {
    now = new Date(now.getTime() + 1000)
    await ask()
    const last = merchant.emulator.requests().at(-1)
    expect(last).toMatchObject({ operation: QUERY, status: 200, code: 'ACQ.TRADE_NOT_EXIST' })
    expect(last?.target).toContain(`app_id=${APP_ID}`)
  })
})
