import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isUnambiguous, parseAnswer } from '#channel/unionpay/wire'
import {
  crlf,
  noticeOf,
  now,
  rawOf,
  reference,
  signedBy,
  vector,
  vectorMessage,
} from './support.ts'
import { answering, startVendor } from './vendor.ts'
import type { Reply } from './vendor.ts'

const pairsOf = (text: string): readonly (readonly [string, string])[] | undefined =>
  parseAnswer(Buffer.from(text))?.map(([name, value]) => [name, Buffer.from(value).toString()])

describe('the body of an answer', () => {
  test('unionpay checklist 9: nothing is unescaped', () => {
    expect(pairsOf('a=1+2&b=%41&c=x/y+z==&respMsg=成功[0000000]')).toEqual([
      ['a', '1+2'],
      ['b', '%41'],
      ['c', 'x/y+z=='],
      ['respMsg', '成功[0000000]'],
    ])
  })

  test.each<[string, readonly (readonly [string, string])[]]>([
    [
      'a={b=1&c=2}&d=3',
      [
        ['a', '{b=1&c=2}'],
        ['d', '3'],
      ],
    ],
    [
      'a={b={c=1&d=2}&e=3}&f=',
      [
        ['a', '{b={c=1&d=2}&e=3}'],
        ['f', ''],
      ],
    ],
    [
      'a=[1&2]3&b=[x]',
      [
        ['a', '[1&2]3'],
        ['b', '[x]'],
      ],
    ],
    [
      'a=1{b=1&c=2}',
      [
        ['a', '1{b=1'],
        ['c', '2}'],
      ],
    ],
    ['a=', [['a', '']]],
  ])('unionpay checklist 10: %j keeps a bracket together', (text, pairs) => {
    expect(pairsOf(text)).toEqual([...pairs])
  })

  test('unionpay checklist 10: a certificate keeps its "=" and its line breaks', () => {
    const message = vectorMessage(vector.responses.query2022)
    const pairs = pairsOf(`${rawOf(message)}\r\n`)
    expect(Object.fromEntries(pairs ?? [])).toEqual({ ...message })
    expect(Object.fromEntries(pairs ?? [])['signPubKeyCert']).toBe(
      crlf(vector.vendorCertificate2020),
    )
  })

  test.each(['', '\n', '<html><body>502</body></html>', 'a', 'a&b=1', '=1', 'a=1&', 'a={b=1&c=2'])(
    'is no message: %j',
    (text) => {
      expect(pairsOf(text)).toBeUndefined()
    },
  )

  test('is no message in another charset, or with more fields than any has', () => {
    expect(parseAnswer(Uint8Array.from([0x61, 0x3d, 0xb3, 0xc9]))).toBeUndefined()
    expect(pairsOf(Array.from({ length: 201 }, (_, at) => `f${at}=1`).join('&'))).toBeUndefined()
  })

  test('in which line breaks stand by the hundred thousand is read in one pass', () => {
    // Nobody has verified these bytes: looked at again from each break, a full answer takes minutes.
    const breaks = '\r\n'.repeat(100_000)
    expect(pairsOf(`a=1${breaks}x${breaks}`)).toEqual([['a', `1${breaks}x`]])
    expect(pairsOf(breaks)).toBeUndefined()
  })

  test('never throws, and reads back what was written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        parseAnswer(bytes)
      }),
      { numRuns: 200 },
    )
    const field = fc
      .tuple(fc.stringMatching(/^[a-zA-Z0-9]{1,9}$/), fc.string({ maxLength: 20 }))
      .filter((pair) => isUnambiguous(pair) && !/[\r\n]/.test(pair[1]))
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 9 }), (pairs) => {
        const text = pairs.map(([name, value]) => `${name}=${value}`).join('&')
        expect(pairsOf(text)).toEqual(pairs)
      }),
      { numRuns: 200 },
    )
  })
})

/** What the channel makes of the answer to a query. */
async function queried(reply: Reply, settings: Readonly<Record<string, unknown>> = {}) {
  await using vendor = startVendor([reply], { settings })
  return await vendor.channel.queryPayment(reference, vendor.record)
}

const paid = {
  ...noticeOf(),
  bizType: '000000',
  origRespCode: '00',
  origRespMsg: '成功[0000000]',
}

const respond =
  (message: Readonly<Record<string, string>>): Reply =>
  () =>
    new Response(rawOf(message))

describe('an answer', () => {
  test('is the same in any order of its fields', async () => {
    const signed = signedBy(paid)
    const reversed = Object.fromEntries(Object.entries(signed).toReversed())
    expect((await queried(respond(signed))).kind).toBe('found')
    expect(await queried(respond(reversed))).toEqual(await queried(respond(signed)))
  })

  test.each(Object.keys(signedBy(paid)))(
    'unionpay checklist 13: is unknown with one byte of %s changed',
    async (name) => {
      const signed = signedBy(paid)
      const value = signed[name] ?? ''
      const last = value.at(-1) === '1' ? '2' : '1'
      const changed = { ...signed, [name]: value.slice(0, -1) + last }
      const { kind, ...rest } = await queried(respond(changed))
      expect(kind).toBe('unknown')
      expect(JSON.stringify(rest)).toMatch(
        /bad_signature|untrusted_certificate|wrong_algorithm|charset/,
      )
    },
  )

  test('unionpay checklist 13: is unknown with other line breaks in the certificate', async () => {
    const signed = signedBy(paid)
    const lf = (signed['signPubKeyCert'] ?? '').replaceAll('\r\n', '\n')
    expect(await queried(respond({ ...signed, signPubKeyCert: lf }))).toEqual({
      kind: 'unknown',
      cause: 'bad_signature',
    })
  })

  test.each<[string, Reply, string]>([
    ['a page of a proxy', () => new Response('<html></html>'), 'the answer is no message'],
    ['an error page', () => new Response('', { status: 502 }), 'status 502'],
    ['a signed failure status', answering({ respCode: '34' }, { status: 500 }), 'status 500'],
    ['an unsigned answer', () => new Response('respCode=34&version=5.1.0'), 'wrong_algorithm'],
    ['a field twice', () => new Response(`${rawOf(signedBy(paid))}&orderId=1`), 'field_duplicate'],
    ['no result code', answering({}), 'the answer has no respCode'],
    ['more than a message holds', () => new Response('x'.repeat(1_048_577)), 'too_large'],
  ])('unionpay checklist 26: %s is unknown', async (_, reply, cause) => {
    expect(await queried(reply)).toEqual({ kind: 'unknown', cause })
  })

  test('unionpay checklist 26: no answer is unknown, and so is none in time', async () => {
    const nowhere = { base_url: 'http://127.0.0.1:1' }
    expect(await queried(respond({}), nowhere)).toEqual({ kind: 'unknown', cause: 'connection' })
    await using vendor = startVendor([() => new Promise(() => undefined)], {
      deps: { timeoutMs: 50 },
    })
    expect(await vendor.channel.queryPayment(reference, vendor.record)).toEqual({
      kind: 'unknown',
      cause: 'timeout',
    })
  })

  test.each([
    ['orderId', 'p0000000000000000000000000'],
    ['txnTime', '20260314101531'],
    ['merId', '777290058110097'],
  ])('is unknown when it is genuine and names another %s', async (name, value) => {
    expect(await queried(respond(signedBy({ ...paid, [name]: value })))).toEqual({
      kind: 'unknown',
      cause: 'respCode 00, about another order',
    })
  })

  test('goes to the vendor’s own hosts over https, by the environment', async () => {
    const urls: string[] = []
    const fetch = (url: string) => {
      urls.push(url)
      return Promise.reject(new Error('no network in tests'))
    }
    for (const environment of ['live', 'test']) {
      const setup = { deps: { fetch }, settings: { base_url: undefined, environment }, at: now }
      await using vendor = startVendor([], setup)
      await vendor.channel.queryPayment(reference, vendor.record)
    }
    expect(urls).toEqual([
      'https://gateway.95516.com/gateway/api/queryTrans.do',
      'https://gateway.test.95516.com/gateway/api/queryTrans.do',
    ])
  })
})
