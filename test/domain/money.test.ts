import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { cny, formatYuan, parseMinor, parseYuan } from '#domain/money'

describe('parseYuan', () => {
  test.each([
    ['0', 0n],
    ['0.01', 1n],
    ['19.99', 1999n],
    ['1.2', 120n],
    ['999999999999999.99', 99_999_999_999_999_999n],
  ])('reads "%s" exactly', (text, minor) => {
    expect(parseYuan(text)).toEqual(cny(minor))
  })

  test.each(['', '1.234', '-1', '1e3', '01', '1,000', ' 1', '1.', '.5', '１.００', 'NaN', '+1'])(
    'refuses "%s"',
    (text) => {
      expect(parseYuan(text)).toBeUndefined()
    },
  )

  test('is the inverse of formatYuan', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 99_999_999_999_999_999n }), (minor) => {
        expect(parseYuan(formatYuan(cny(minor)))).toEqual(cny(minor))
      }),
    )
  })
})

describe('parseMinor', () => {
  test.each([1, 100, Number.MAX_SAFE_INTEGER])('reads %d', (value) => {
    expect(parseMinor(value)).toBe(BigInt(value))
  })

  test.each([0, -1, 1.5, 2 ** 53, Number.NaN, '1', null, undefined, 1n])('refuses %p', (value) => {
    expect(parseMinor(value)).toBeUndefined()
  })
})
