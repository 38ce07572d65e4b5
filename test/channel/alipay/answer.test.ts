import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readAnswer } from '#channel/alipay/signature'

const UPLOAD = 'alipay.offline.material.image.upload'

const run = (body: string, api = UPLOAD): string | undefined => {
  const answer = readAnswer(Buffer.from(body), api)
  return answer && Buffer.from(answer.run).toString('utf8')
}

const node =
  '{"code":"10000","msg":"Success","image_id":"Zp1","image_url":"http:\\/\\/oalipay-dl-django.alicdn.com\\/rest\\/1.0\\/image?fileIds=Zp1&zoom=original"}'

describe('alipay checklist 14: the signed run is cut from the raw bytes', () => {
  const key = 'alipay_offline_material_image_upload_response'
  test.each([
    ['as it comes', `{"${key}":${node},"sign":"P8xr"}`, node],
    ['with the signature first', `{"sign":"P8xr","${key}":${node}}`, node],
    ['with blanks outside', ` {\n "${key}" :\r\n\t${node} ,\n "sign"  : "P8xr" }\n`, node],
    [
      'with a member named sign inside',
      `{"${key}":{"a":1,"sign":"xxx","b":2},"sign":"P8xr"}`,
      '{"a":1,"sign":"xxx","b":2}',
    ],
    [
      'with brackets and quotes in a string',
      `{"${key}":{"a":"}\\"]{","b":"\\\\"},"sign":"s"}`,
      '{"a":"}\\"]{","b":"\\\\"}',
    ],
    ['with blanks inside', `{"${key}":{ "a" : 1 },"sign":"s"}`, '{ "a" : 1 }'],
    ['with its name in a string before', `{"x":"\\"${key}\\":{}","${key}":{},"sign":"s"}`, '{}'],
    ['encrypted', `{"${key}":"AbC+/=","sign":"s"}`, '"AbC+/="'],
    ['under the name of errors', `{"error_response":{"code":"40002"}}`, '{"code":"40002"}'],
    ['with lists', `{"${key}":{"a":[{"b":["]"]}]},"sign":"s"}`, '{"a":[{"b":["]"]}]}'],
    ['in Chinese', `{"${key}":{"a":"支付"},"sign":"s"}`, '{"a":"支付"}'],
  ])('%s', (_, body, expected) => {
    expect(run(body)).toBe(expected)
  })

  test('the signature and the certificate are those at the top', () => {
    const body = `{"${key}":{"sign":"in","alipay_cert_sn":"in"},"alipay_cert_sn":"c","sign":"a\\/b"}`
    expect(readAnswer(Buffer.from(body), UPLOAD)).toMatchObject({ signature: 'a/b', digest: 'c' })
    expect(readAnswer(Buffer.from(`{"${key}":{}}`), UPLOAD)).toMatchObject({
      signature: '',
      digest: undefined,
    })
  })
})

describe('alipay checklist 16: what could be read in two ways is not read', () => {
  const key = 'alipay_trade_query_response'
  test.each([
    ['the node twice', `{"${key}":{"code":"10000"},"${key}":{"code":"1"},"sign":"s"}`],
    ['the node again after the signature', `{"${key}":{},"sign":"s","${key}":{}}`],
    ['the signature twice', `{"${key}":{},"sign":"a","sign":"b"}`],
    ['an unknown member twice', `{"x":1,"x":2,"${key}":{},"sign":"s"}`],
    ['more behind the end', `{"${key}":{},"sign":"s"}{}`],
    ['no end', `{"${key}":{"a":1`],
    ['an open string', `{"${key}":{"a":"1},"sign":"s"}`],
    ['the node of another call', `{"alipay_trade_close_response":{},"sign":"s"}`],
    ['a list', `[{"${key}":{}}]`],
    ['nothing', ''],
    ['an empty object', '{}'],
    ['a page', '<html>502 Bad Gateway</html>'],
    ['a missing colon', `{"${key}"{},"sign":"s"}`],
    ['a missing name', `{:{}}`],
  ])('%s', (_, body) => {
    expect(run(body, 'alipay.trade.query')).toBeUndefined()
  })
})

test('never throws, and what it cuts out stands in the body', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '"',
    ':',
    ',',
    '\\',
    '[',
    ']',
    ' ',
    'a',
    '"a_response"',
    '"sign"',
    '"x"',
    'é',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      const body = parts.join('')
      const found = run(body, 'a')
      expect(found === undefined || body.includes(found)).toBe(true)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(() => readAnswer(bytes, 'a')).not.toThrow()
    }),
  )
})

test('agrees with JSON about every object that JSON can write', () => {
  fc.assert(
    fc.property(fc.json(), fc.string(), (value, text) => {
      const inner = `{"value":${value},"text":${JSON.stringify(text)}}`
      expect(run(`{"x":[${value}],"a_response":${inner},"sign":"s"}`, 'a')).toBe(inner)
    }),
    { numRuns: 50 },
  )
})
