import { describe, expect, test } from 'bun:test'
import { verify as verifyRsa } from 'node:crypto'
import type { PaymentRequest } from '#channel/channel'
import { keyOf, paymentId, publicOf } from '../support.ts'
import {
  channelPaymentId,
  defaultKeys,
  merchantPem,
  now,
  otherPem,
  requestOf,
  signText,
  vendorPem,
  without,
} from './support.ts'
import {
  answer,
  create,
  done,
  failure,
  html,
  nodeName,
  refusal,
  startVendor,
  unsigned,
} from './vendor.ts'
import type { Reply } from './vendor.ts'

const qrCode = 'https://qr.alipay.com/bax00000000000000000'

async function outcomeOf(reply: Reply, changes: Partial<PaymentRequest> = { method: 'qr' }) {
  await using vendor = startVendor([reply])
  return await create(vendor, changes)
}

const kindOf = async (reply: Reply): Promise<string> => (await outcomeOf(reply)).kind

describe('calls that create a payment', () => {
  test('a code is what the vendor answers', async () => {
    expect(await outcomeOf(done({ qr_code: qrCode }))).toEqual({
      kind: 'created',
      nextAction: { type: 'qr_code', content: qrCode },
    })
  })

  test.each(['jsapi', 'mini_program'] as const)(
    '%s gives the number to the wallet',
    async (method) => {
      const reply = done({ trade_no: channelPaymentId })
      expect(await outcomeOf(reply, { method, payerOpenId: '2088722003899169' })).toEqual({
        kind: 'created',
        nextAction: { type: 'sdk', params: { tradeNO: channelPaymentId } },
        channelPaymentId,
      })
    },
  )

  test('the request is signed over query and body together', async () => {
    await using vendor = startVendor([done({ qr_code: qrCode })])
    await create(vendor, { method: 'qr', subject: 'a+b % "测试"' })
    const [heard] = vendor.heard
    expect(heard?.headers['content-type']).toBe('application/x-www-form-urlencoded;charset=utf-8')
    expect(Object.keys(heard?.body ?? {})).toEqual(['biz_content'])
    const text = Object.entries({ ...without(heard?.query ?? {}, 'sign'), ...heard?.body })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
      .join('&')
    const signature = Buffer.from(heard?.query['sign'] ?? '', 'base64')
    expect(verifyRsa('sha256', Buffer.from(text), publicOf(merchantPem), signature)).toBe(true)
    expect(text).toContain('&charset=utf-8&')
    expect(text).not.toContain('cert_sn')
  })

  test('alipay checklist 38: a code is asked for again with the same order', async () => {
    await using vendor = startVendor([done({ qr_code: qrCode }), done({ qr_code: `${qrCode}2` })])
    const outcome = vendor.channel.preparePayment(requestOf({ method: 'qr' }))
    if (outcome.kind === 'refused') throw new Error(outcome.message)
    await vendor.channel.createPayment(outcome.prepared, vendor.record)
    const second = await vendor.channel.createPayment(outcome.prepared, vendor.record)
    expect(second).toMatchObject({ nextAction: { content: `${qrCode}2` } })
    expect(vendor.heard[1]?.body).toEqual(vendor.heard[0]?.body ?? {})
    expect(vendor.channel.capabilities.credentialSeconds.qr).toBe(7200)
  })

  test('payers and signatures are not recorded', async () => {
    await using vendor = startVendor([done({ trade_no: channelPaymentId })])
    await create(vendor, { method: 'jsapi', payerOpenId: 'open01501o8f93I3nJ' })
    const [exchange] = vendor.exchanges
    expect(exchange?.requestBody).toContain(paymentId)
    expect(JSON.stringify(exchange)).not.toContain('open01501o8f93I3nJ')
    expect(decodeURIComponent(exchange?.requestBody ?? '')).toContain(
      '"buyer_open_id":"[redacted]"',
    )
    expect(exchange?.url).toContain('sign=[redacted]')
  })

  test('alipay checklist 23: an answer is JSON whatever its content type says', async () => {
    const typed =
      (type: string): Reply =>
      async (heard) =>
        new Response(await (await done({ qr_code: qrCode })(heard)).text(), {
          headers: { 'content-type': type },
        })
    for (const type of ['text/html;charset=GBK', 'application/json', 'image/png']) {
      expect(await kindOf(typed(type))).toBe('created')
    }
  })
})

describe('alipay checklist 17: a success that is not signed well is unknown', () => {
  const good = JSON.stringify({ code: '10000', out_trade_no: paymentId, qr_code: qrCode })
  const bodyOf =
    (sign: string): Reply =>
    ({ api }) =>
      html(`{"${nodeName(api)}":${good}${sign}}`)

  test.each([
    ['no signature', ''],
    ['an empty one', ',"sign":""'],
    ['a number', ',"sign":1'],
    ['no base64', ',"sign":"***"'],
    ['that of another key', `,"sign":"${signText(good, otherPem)}"`],
    ['that of another text', `,"sign":"${signText(`${good} `)}"`],
    ['that of SHA-1', `,"sign":"${signText(good, vendorPem, 'sha1')}"`],
  ])('%s', async (_, sign) => {
    expect(await kindOf(bodyOf(sign))).toBe('unknown')
  })

  test('the good one is a success', async () => {
    expect(await kindOf(bodyOf(`,"sign":"${signText(good)}"`))).toBe('created')
  })

  test('so is one whose slashes were escaped after it was signed', async () => {
    const sent = good.replaceAll('/', '\\/')
    const reply: Reply = ({ api }) =>
      html(`{"${nodeName(api)}":${sent},"sign":"${signText(good)}"}`)
    expect(await outcomeOf(reply)).toMatchObject({ nextAction: { content: qrCode } })
  })
})

describe('alipay checklist 22: what is unknown, and what was not executed', () => {
  test.each([
    ['20000', 'isp.unknow-error'],
    ['20000', 'aop.unknow-error'],
    ['40004', 'ACQ.SYSTEM_ERROR'],
    ['40004', 'ACQ.TRADE_HAS_SUCCESS'],
    ['40004', 'ACQ.TRADE_HAS_CLOSE'],
    ['40004', 'ACQ.CONTEXT_INCONSISTENT'],
    ['40004', 'ACQ.APPLY_PC_MERCHANT_CODE_ERROR'],
    ['40004', 'ACQ.SOMETHING_NEW'],
    ['40004', ''],
    ['10003', ''],
    ['50000', 'new'],
    ['', ''],
  ])('signed %s %s is unknown', async (code, subCode) => {
    expect(await kindOf(refusal(code, subCode))).toBe('unknown')
  })

  test.each([
    ['20001', 'aop.invalid-auth-token'],
    ['40001', 'isv.missing-method'],
    ['40002', 'isv.invalid-signature'],
    ['40003', 'isv.missing-signature-config'],
    ['40005', 'isv.app-call-limited'],
    ['40006', 'isv.insufficient-isv-permissions'],
    ['40004', 'ACQ.INVALID_PARAMETER'],
    ['40004', 'ACQ.TOTAL_FEE_EXCEED'],
  ])('signed %s %s was not executed', async (code, subCode) => {
    expect(await outcomeOf(refusal(code, subCode))).toEqual({
      kind: 'refused',
      code: subCode,
      message: '失败',
    })
  })

  test('alipay checklist 21: prefixes and misspellings do not hide a code', async () => {
    for (const subCode of ['AQC.SYSTEM_ERROR', 'aop.ACQ.SYSTEM_ERROR', 'acq.system_error ']) {
      expect(await kindOf(refusal('40002', subCode))).toBe('unknown')
    }
    for (const subCode of ['aop.ACQ.TOTAL_FEE_EXCEED', 'AQC.TOTAL_FEE_EXCEED']) {
      expect(await kindOf(refusal('40004', subCode))).toBe('refused')
    }
  })

  test.each([
    ['a 500', html('oops', 500)],
    ['a 404 that looks good', html(failure('40002', 'isv.invalid-method'), 404)],
    ['a page', html('<html>')],
    ['nothing', html('')],
    ['JSON without a node', html('{"sign":"x"}')],
    ['a redirect', new Response(null, { status: 302, headers: { location: 'https://a.example' } })],
  ])('%s is unknown', async (_, response) => {
    expect(await kindOf(() => response.clone())).toBe('unknown')
  })

  test.each([500, 404, 201])(
    'an answer that is signed well, under status %p, is unknown',
    async (status) => {
      const signed = await done({ qr_code: qrCode })({
        api: 'alipay.trade.precreate',
        query: {},
        body: {},
        headers: {},
      })
      const body = await signed.text()
      expect(await kindOf(() => html(body))).toBe('created')
      expect(await kindOf(() => html(body, status))).toBe('unknown')
    },
  )

  test('a time-out and a lost connection are unknown', async () => {
    const { promise, resolve } = Promise.withResolvers<Response>()
    await using slow = startVendor([() => promise], { deps: { timeoutMs: 20 } })
    expect(await create(slow, { method: 'qr' })).toEqual({ kind: 'unknown', cause: 'timeout' })
    resolve(html(''))
    const settings = { gateway_url: 'http://127.0.0.1:1/gateway.do' }
    await using gone = startVendor([], { settings })
    expect(await create(gone, { method: 'qr' })).toMatchObject({ kind: 'unknown' })
  })

  test.each([
    ['another number', done({ out_trade_no: 'p1', qr_code: qrCode })],
    ['no code', done()],
    ['a node that is no object', (heard) => answer(nodeName(heard.api), '[]')],
  ] satisfies [string, Reply][])('a signed success with %s is unknown', async (_, reply) => {
    expect(await kindOf(reply)).toBe('unknown')
  })
})

describe('what is not signed decides nothing', () => {
  test('alipay checklist 18: it is an answer with its code, not an exception', async () => {
    expect(await outcomeOf(unsigned('40002', 'isv.invalid-app-id'))).toEqual({
      kind: 'unknown',
      cause: 'the answer is not signed: 40002 isv.invalid-app-id',
    })
    expect(await outcomeOf(unsigned('40001', 'isv.missing-method', 'error_response'))).toEqual({
      kind: 'unknown',
      cause: 'the answer is not signed: 40001 isv.missing-method',
    })
  })

  test('alipay checklist 19: no unsigned failure ends a payment', async () => {
    const { channel, record, ...vendor } = startVendor([unsigned('40004', 'ACQ.TRADE_NOT_EXIST')])
    await using _ = vendor
    const reference = { paymentId, method: 'qr', createdAt: now } as const
    expect((await channel.queryPayment(reference, record)).kind).toBe('unknown')
    expect((await channel.closePayment?.(reference, record))?.kind).toBe('unknown')
    expect(await kindOf(unsigned('40004', 'ACQ.TOTAL_FEE_EXCEED'))).toBe('unknown')
  })

  test('a signed error under the common name counts', async () => {
    const reply: Reply = () => answer('error_response', failure('40002', 'isv.invalid-method'))
    expect(await kindOf(reply)).toBe('refused')
  })
})

describe('encrypted content', () => {
  const keys = [...defaultKeys, keyOf('symmetric', 'aes', 'aa4BtZ4tspm2wnXLb1ThQA==')]

  test('goes out and comes back under the key of the account', async () => {
    const { openContent, sealContent } = await import('#channel/alipay/key')
    const key = Buffer.from('aa4BtZ4tspm2wnXLb1ThQA==', 'base64')
    const node = JSON.stringify({ code: '10000', out_trade_no: paymentId, qr_code: qrCode })
    const reply: Reply = ({ api }) => answer(nodeName(api), `"${sealContent(key, node)}"`)
    await using vendor = startVendor([reply], { keys })
    expect((await create(vendor, { method: 'qr' })).kind).toBe('created')
    const [heard] = vendor.heard
    expect(heard?.query['encrypt_type']).toBe('AES')
    const opened = openContent(key, heard?.body['biz_content'] ?? '')
    expect(Buffer.from(opened ?? '').toString()).toContain(paymentId)
    // Without the key there is nothing to read.
    expect(await kindOf(reply)).toBe('unknown')
  })
})
