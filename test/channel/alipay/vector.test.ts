import { describe, expect, test } from 'bun:test'
import { createHash, createPublicKey, verify as verifyRsa } from 'node:crypto'
import { importSigningKey, sign } from '#channel/crypto'
import { addressOf } from '#channel/alipay/call'
import { settingsSchema } from '#channel/alipay/settings'
import { encodeForm } from '#channel/form'
import { importVerifyingKey } from '#channel/crypto-native'
import { openContent, readPrivateKey, readPublicKey, sealContent } from '#channel/alipay/key'
import type { VendorKey } from '#channel/alipay/key'
import {
  checkFields,
  readAnswer,
  requestText,
  signParams,
  verifyRun,
} from '#channel/alipay/signature'
import { formatTime } from '#channel/alipay/wire'
import { assert } from '#domain/assert'
import derived from '../../fixture/alipay/derived.json'
import published from '../../fixture/alipay/published.json'
import { encodeGbk } from './gbk.ts'
import { signText } from './support.ts'

function vendorKey(base64: string): VendorKey {
  const pem = readPublicKey(base64)?.export({ type: 'spki', format: 'pem' })
  const key = importVerifyingKey(String(pem))
  assert(key !== undefined, 'the fixture key is a public key')
  return { serial: 'k', key }
}

async function signingKey(base64: string) {
  const key = await importSigningKey(
    String(readPrivateKey(base64)?.export({ type: 'pkcs8', format: 'pem' })),
  )
  assert(key !== undefined, 'the fixture key is a private key')
  return key
}

const KEY_Y = published.r1.publicKey
const derivedKey = [vendorKey(derived.publicKey)]

/** Parameters of a text to sign, in an order that is not the sorted one. */
const paramsOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split(/&(?=[a-z_]+=)/)
      .toReversed()
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )

/** D1's `notify_url` holds `&y=`, so that text cannot be cut at every `&`. */
const d1 = {
  version: '1.0',
  timestamp: '2026-01-31 23:59:59',
  sign_type: 'RSA2',
  notify_url: 'https://pay.example.com/n?x=1&y=a+b',
  method: 'alipay.trade.precreate',
  format: 'JSON',
  charset: 'UTF-8',
  biz_content: derived.d1.text.slice(
    derived.d1.text.indexOf('{'),
    derived.d1.text.indexOf('}&') + 1,
  ),
  app_auth_token: '',
  app_id: '2021000000000001',
}

const fieldsOf = (params: Readonly<Record<string, string>>) =>
  Object.entries(params).map(([name, value]) => [name, Buffer.from(value)] as const)

const runOf = (body: string, api: string) => {
  const answer = readAnswer(Buffer.from(body), api)
  assert(answer !== undefined, 'the fixture is an answer')
  return { ...answer, text: Buffer.from(answer.run).toString('utf8') }
}

describe('requests', () => {
  test('alipay checklist 1: T-Q1 is rebuilt byte for byte from an unordered map', () => {
    const params = paramsOf(published.q1.text)
    expect(Object.keys(params)[0]).toBe('version')
    expect(requestText(params)).toBe(published.q1.text)
    const key = [vendorKey(published.q1.publicKey)]
    expect(verifyRun(key, Buffer.from(requestText(params)), published.q1.sign)).toBe('k')
  })

  test('alipay checklist 2: D1 gives the listed signature, D2 and D3 theirs', async () => {
    const key = await signingKey(derived.pkcs8)
    expect(createHash('sha256').update(requestText(d1)).digest('hex')).toBe(derived.d1.sha256)
    expect((await signParams(key, d1))['sign']).toBe(derived.d1.sign)
    // GBK and SHA-1 are what we never send. The vectors show that our text and key are right there too.
    const gbk = encodeGbk(requestText({ ...d1, charset: 'GBK' }))
    expect(createHash('sha256').update(gbk).digest('hex')).toBe(derived.d2.sha256)
    expect(verifyRun(derivedKey, gbk, derived.d2.sign)).toBe('k')
    const pem = String(readPrivateKey(derived.pkcs8)?.export({ type: 'pkcs8', format: 'pem' }))
    expect(signText(gbk, pem)).toBe(derived.d2.sign)
    const sha1 = requestText({ ...d1, sign_type: 'RSA' })
    expect(signText(sha1, pem, 'sha1')).toBe(derived.d3.sign)
    expect(verifyRun(derivedKey, Buffer.from(sha1), derived.d3.sign)).toBeUndefined()
  })

  test('alipay checklist 3: empty parameters are neither sent nor signed', async () => {
    const sent = await signParams(await signingKey(derived.pkcs8), d1)
    expect(Object.keys(sent)).not.toContain('app_auth_token')
    expect(requestText(d1)).not.toContain('app_auth_token')
  })

  test('alipay checklist 4: `sign_type` is signed, `sign` is not', () => {
    expect(requestText({ ...d1, sign: 'x' })).toBe(derived.d1.text)
    expect(requestText(d1)).toContain('&sign_type=RSA2&')
  })

  test('alipay checklist 8: `timestamp` is Beijing time', () => {
    expect(formatTime(new Date(1_600_538_598_726))).toBe('2020-09-20 02:03:18')
  })

  test('D4: content is encrypted before it is signed', async () => {
    const key = Buffer.from('aa4BtZ4tspm2wnXLb1ThQA==', 'base64')
    expect(sealContent(key, d1.biz_content)).toBe(derived.d4.content)
    const params = { ...d1, biz_content: derived.d4.content, encrypt_type: 'AES' }
    expect((await signParams(await signingKey(derived.pkcs8), params))['sign']).toBe(
      derived.d4.sign,
    )
  })

  test.each([
    ['aa4BtZ4tspm2wnXLb1ThQA==', 'test1234567', 'ILpoMowjIQjfYMR847rnFQ=='],
    ['AAAAAAAAAAAAAAAAAAAAAA==', '', 'AUPbY+5msM3/n2mRdoAVHg=='],
    [
      'aYA0GP8JEW+D7/UFaskCWA==',
      '{"a":1,"b":"支付"}',
      'tOEhIIn3ajApnUsFV4rBAPhtMG2YelnQH63yD24N+ZA=',
    ],
  ])('AES with key %s makes %p into %s and back', (base64, plain, cipher) => {
    const key = Buffer.from(base64, 'base64')
    expect(sealContent(key, plain)).toBe(cipher)
    expect(Buffer.from(openContent(key, cipher) ?? 'none').toString()).toBe(plain)
  })
})

describe('answers', () => {
  const signed = [
    { name: 'T-R1', ...published.r1 },
    {
      name: 'T-R2',
      publicKey: published.r2.publicKey,
      run: '{"code":"10000","msg":"Success","file_id":"CAxAToWB1JsAAAAAAAAAAAAADgSLAQBr"}',
      sign: runOf(published.r2.body, 'alipay.open.file.upload').signature,
    },
    {
      name: 'T-R3',
      publicKey: published.r3.publicKey,
      run: runOf(published.r3.body, 'alipay.security.risk.content.analyze').text,
      sign: runOf(published.r3.body, 'alipay.security.risk.content.analyze').signature,
    },
    { name: 'T-R4', ...published.r4 },
  ]

  test.each(signed)('alipay checklist 20: $name verifies, and no changed byte does', (vector) => {
    const keys = [vendorKey(vector.publicKey)]
    const run = Buffer.from(vector.run)
    expect(verifyRun(keys, run, vector.sign)).toBe('k')
    expect(verifyRun(derivedKey, run, vector.sign)).toBeUndefined()
    for (let at = 0; at < run.length; at += 7) {
      const changed = Buffer.from(run)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(verifyRun(keys, changed, vector.sign)).toBeUndefined()
    }
  })

  test('T-R2 and T-R3 are found in their bodies', () => {
    expect(runOf(published.r2.body, 'alipay.open.file.upload').text).toBe(signed[1]?.run ?? '')
    expect(JSON.parse(signed[2]?.run ?? '')).toMatchObject({ sub_msg: '解密出错, 未知错误' })
  })

  test('D6: escaped quotes, braces and slashes stand inside the run', () => {
    const answer = runOf(derived.d6.body, 'alipay.trade.query')
    expect(answer.digest).toBe('00112233445566778899aabbccddeeff')
    expect(JSON.parse(answer.text)).toMatchObject({ subject: 'a"}{\\"sign":/x 测试' })
    expect(verifyRun(derivedKey, answer.run, answer.signature)).toBe('k')
  })

  test('alipay checklist 15: D5 is verified with its quotes, then opened', () => {
    const answer = runOf(derived.d5.body, 'alipay.trade.precreate')
    expect(answer.text).toStartWith('"')
    expect(verifyRun(derivedKey, answer.run, answer.signature)).toBe('k')
    const bare = answer.text.slice(1, -1)
    expect(verifyRun(derivedKey, Buffer.from(bare), answer.signature)).toBeUndefined()
    const key = Buffer.from('aa4BtZ4tspm2wnXLb1ThQA==', 'base64')
    expect(Buffer.from(openContent(key, bare) ?? '').toString()).toBe(derived.d5.node)
  })
})

describe('notifications and returns', () => {
  const keysOf = (base64: string) => () => [vendorKey(base64)]
  const signedFields = (text: string, sign: string, type = 'RSA2') =>
    fieldsOf({ ...paramsOf(text), sign, ...(type === '' ? {} : { sign_type: type }) })

  test.each([
    ['T-N2', KEY_Y, published.n2],
    ['T-N3', published.n3.publicKey, published.n3],
  ])('alipay checklist 42: %s verifies', (_, key, vector) => {
    expect(checkFields(keysOf(key), signedFields(vector.text, vector.sign))).toEqual({
      kind: 'valid',
      serial: 'k',
    })
  })

  test('alipay checklist 43: T-N3 leaves `sign_type` out, T-N4 keeps it', () => {
    const n4 = published.n4
    const kept = checkFields(keysOf(n4.publicKey), signedFields(n4.text, n4.sign, ''))
    expect(kept.kind).toBe('valid')
    // A payment's notification never has that second try: N3 signed with its sign_type is refused.
    const sign = signText(
      `${published.n3.text.replace('&total_amount', '&sign_type=RSA2&total_amount')}`,
      String(readPrivateKey(derived.pkcs8)?.export({ type: 'pkcs8', format: 'pem' })),
    )
    const fields = signedFields(published.n3.text, sign)
    expect(checkFields(keysOf(derived.publicKey), fields)).toMatchObject({
      reason: 'bad_signature',
    })
  })

  test('T-N1: a return is signed by the same rule', () => {
    const pairs = [...new URLSearchParams(published.n1.query)]
    const fields = pairs.map(([name, value]) => [name, Buffer.from(value)] as const)
    expect(checkFields(keysOf(KEY_Y), fields).kind).toBe('valid')
  })
})

/** Ours escapes a blank as `%20`, the dossier as `+`; both are right (dossier, section 2.5). */
const withPlus = (text: string): string => text.replaceAll('%20', '+')

describe('what is handed to the customer', () => {
  const contentOf = (text: string): string =>
    text.slice(text.indexOf('{'), text.indexOf('}&charset') + 1)

  test('alipay checklist 34: the order string D11 is rebuilt, escaped once', async () => {
    const params = {
      ...d1,
      method: 'alipay.trade.app.pay',
      biz_content: contentOf(derived.d11.text),
    }
    expect(requestText(params)).toBe(derived.d11.text)
    const sent = await signParams(await signingKey(derived.pkcs8), params)
    const sorted = Object.entries(sent).toSorted(([a], [b]) => (a < b ? -1 : 1))
    expect(withPlus(encodeForm(sorted))).toBe(derived.d11.orderString)
  })

  test('alipay checklist 33: the form D12 parses back to the values that we sign', async () => {
    const found: Record<string, string> = {}
    const rewriter = new HTMLRewriter()
      .on('form', { element: (item) => void (found['action'] = item.getAttribute('action') ?? '') })
      .on('input', { element: (item) => void (found['value'] = item.getAttribute('value') ?? '') })
    await rewriter.transform(new Response(derived.d12.form)).text()
    const unescapeHtml = (text = ''): string =>
      text.replaceAll('&quot;', '"').replaceAll('&amp;', '&')
    const params = {
      ...d1,
      method: 'alipay.trade.page.pay',
      return_url: 'https://shop.example.com/back',
      biz_content: contentOf(derived.d12.text),
    }
    const sent = await signParams(await signingKey(derived.pkcs8), params)
    const settings = settingsSchema.parse({
      app_id: '2021000000000001',
      seller_id: '2088000000000001',
      gateway_url: 'https://openapi-sandbox.dl.alipaydev.com/gateway.do',
    })
    const sorted = Object.fromEntries(Object.entries(sent).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    expect(withPlus(addressOf(settings, sorted))).toBe(unescapeHtml(found['action']))
    expect(unescapeHtml(found['value'])).toBe(sent['biz_content'] ?? '')
  })
})

test('D7, D8 and D9 of the other interface are signed by the same key', async () => {
  const key = await signingKey(derived.pkcs1)
  expect(derived.d7.header).toEndWith(`,sign=${await sign(key, derived.d7.text)}`)
  expect(await sign(key, derived.d8.text)).toBe(derived.d8.sign)
  expect(
    verifyRsa(
      'sha256',
      Buffer.from(derived.d9.text),
      createPublicKey({
        key: Buffer.from(derived.publicKey, 'base64'),
        format: 'der',
        type: 'spki',
      }),
      Buffer.from(derived.d9.sign, 'base64'),
    ),
  ).toBe(true)
  expect(await sign(key, derived.d9.text)).toBe(derived.d9.sign)
})
