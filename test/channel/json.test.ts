import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { JSON_BYTES_MAX, JSON_DEPTH_MAX, parseJson } from '#channel/json'

const bytes = (text: string): Uint8Array => Buffer.from(text)

describe('parseJson', () => {
  test('is the inverse of JSON.stringify within the limits', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value)
        expect(parseJson(bytes(text))).toEqual(JSON.parse(text) ?? undefined)
      }),
    )
  })

  test('CB-30: counts depth outside strings only', () => {
    const nested = (depth: number) => bytes('['.repeat(depth) + ']'.repeat(depth))
    expect(parseJson(nested(JSON_DEPTH_MAX))).toBeDefined()
    expect(parseJson(nested(JSON_DEPTH_MAX + 1))).toBeUndefined()
    expect(parseJson(nested(500_000))).toBeUndefined()
    const text = JSON.stringify(String.raw`\"[[[{{{`.repeat(50))
    expect(parseJson(bytes(text))).toBe(JSON.parse(text))
  })

  test.each(['', '{', '[1,]', "{'a':1}", 'NaN', '{"a":1}{', 'null'])('refuses %s', (text) => {
    expect(parseJson(bytes(text))).toBeUndefined()
  })

  test('refuses bytes that are no UTF-8, and too many bytes', () => {
    expect(parseJson(Uint8Array.from([0x22, 0xff, 0x22]))).toBeUndefined()
    expect(parseJson(bytes(`"${'x'.repeat(JSON_BYTES_MAX)}"`))).toBeUndefined()
  })
})
