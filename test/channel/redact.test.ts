import { describe, expect, test } from 'bun:test'
import { redact } from '#channel/redact'

const CHARACTERS_MAX = 16_384

describe('redact', () => {
  test.each([
    ['{"openid":"o1","total":1}', '{"openid":"[redacted]","total":1}'],
    ['{ "openid" : "o1" }', '{ "openid" : "[redacted]" }'],
    [String.raw`"x {\"openid\":\"o1\"} y"`, String.raw`"x {\"openid\":"[redacted]"} y"`],
    ['phoneNo=13800138000&orderId=p1', 'phoneNo=[redacted]&orderId=p1'],
    ['call 13800138000 now', 'call [redacted] now'],
    ['+86 13800138000', '[redacted]'],
    ['{"out_trade_no":"13800138000123456789"}', '{"out_trade_no":"13800138000123456789"}'],
    [
      '{"transaction_id":"4200002603202603141234567890"}',
      '{"transaction_id":"4200002603202603141234567890"}',
    ],
    ['{"paySign":"abc"}', '{"paySign":"[redacted]"}'],
    ['a=1&sign=abc%3D&b=2', 'a=1&sign=[redacted]&b=2'],
    // Whoever has the link of a bill has the bill.
    [
      String.raw`{"bill_download_url":"http:\/\/x.cn\/a?b=1\u0026token=2"}`,
      '{"bill_download_url":"[redacted]"}',
    ],
    ['{"code":"PARAM_ERROR"}', '{"code":"PARAM_ERROR"}'],
  ])('%s', (text, expected) => {
    expect(redact(text)).toBe(expected)
  })

  test.each([
    // Alipay escapes the slashes of its signature; names may come as escapes altogether.
    [String.raw`{"sign":"ab\/cd==","a":1}`, '{"sign":"[redacted]","a":1}'],
    [String.raw`{"buyer_logon_id":"\u5f20\u4e09@x.cn"}`, '{"buyer_logon_id":"[redacted]"}'],
    [
      '{"buyer_user_name":"张三","code":"10000"}',
      '{"buyer_user_name":"[redacted]","code":"10000"}',
    ],
    // A quote inside a value is not its end, and the end is found however many backslashes stand before it.
    [String.raw`{"name":"a\"b","openid":"o1"}`, '{"name":"[redacted]","openid":"[redacted]"}'],
    [
      String.raw`{"name":"a\\","openid":"o1","b":2}`,
      '{"name":"[redacted]","openid":"[redacted]","b":2}',
    ],
    [String.raw`{"name":"a\\\"b","b":2}`, '{"name":"[redacted]","b":2}'],
    // The same, one and two texts deep.
    [String.raw`"{\"name\":\"a\\\"b\",\"c\":1}"`, String.raw`"{\"name\":"[redacted]",\"c\":1}"`],
    [String.raw`"{\"name\":\"a\\\\\",\"c\":1}"`, String.raw`"{\"name\":"[redacted]",\"c\":1}"`],
    [
      String.raw`"{\"m\":\"{\\\"name\\\":\\\"a\\\",\\\"c\\\":1}\"}"`,
      String.raw`"{\"m\":\"{\\\"name\\\":"[redacted]",\\\"c\\\":1}\"}"`,
    ],
    // Quoted by the vendor only in part: the text around it ends first.
    [
      String.raw`{"sent":"{\"openid\":\"oUpF","code":"X"}`,
      String.raw`{"sent":"{\"openid\":"[redacted]","code":"X"}`,
    ],
    [
      '%7B%22openid%22%3A%22a%5C%22b%22%2C%22c%22%3A1%7D',
      '%7B%22openid%22%3A%22[redacted]%22%2C%22c%22%3A1%7D',
    ],
  ])('%s, whole', (text, expected) => {
    expect(redact(text)).toBe(expected)
  })

  test.each([
    '"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"',
    String.raw`\"openid\":\"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o\"`,
    String.raw`"openid":"oUpF8\"uMuAJO\"_M2pxb1Q9zNjWeS6o"`,
    '%22openid%22%3A%22oUpF8uMuAJO_M2pxb1Q9zNjWeS6o%22',
    '&openid=oUpF8uMuAJO_M2pxb1Q9zNjWeS6o',
    ' 13800138000',
  ])('nothing of %s is kept, wherever the record ends', (field) => {
    for (let kept = 0; kept <= field.length; kept += 1) {
      const text = redact('x'.repeat(CHARACTERS_MAX - kept) + field)
      expect(text).not.toMatch(/oUp|uMu|M2p|13800/)
    }
  })

  test.each(['', '"sign', '"sign"', '"sign":', '"sign":"', '%22sign%22%3A%22'])(
    'what stands behind %j is looked at once, whatever it is',
    (start) => {
      // Looked at again from every character, the backslashes alone take these many bodies past any time-out.
      for (const piece of [
        '\\',
        '\\"',
        '"sign"',
        '"sign":"',
        ' ',
        '%5C',
        '%22sign%22%3A%22',
        '&sign=',
      ]) {
        const body = start + piece.repeat(CHARACTERS_MAX / piece.length)
        for (let time = 0; time < 300; time += 1) redact(body)
      }
      expect(redact(`${start}${' '.repeat(CHARACTERS_MAX)}`)).toStartWith(start)
    },
  )

  test('keeps no more than 16,384 characters', () => {
    expect(redact('x'.repeat(20_000))).toHaveLength(16_384)
  })
})
