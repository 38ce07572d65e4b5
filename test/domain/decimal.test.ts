import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatUnits, parseUnits } from '#domain/decimal'

describe('decimals', () => {
  test('are read exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), (units) => {
        const digits = String(units < 0n ? -units : units).padStart(6, '0')
        const text = `${units < 0n ? '-' : ''}${digits.slice(0, -5)}.${digits.slice(-5)}`
        expect(parseUnits(text, 5)).toBe(units)
        expect(formatUnits(units, 5)).toBe(text)
      }),
    )
  })

  test.each([
    ['5', 2, 500n],
    ['45.0', 2, 4500n],
    ['0.0', 2, 0n],
    ['-0.24', 2, -24n],
    ['0', 0, 0n],
    // Around the number of digits from which they are not read as a number any more.
    ['9999999999999.9', 1, 99999999999999n],
    ['-9999999999999.9', 2, -999999999999990n],
    ['90071992547409.93', 2, 9007199254740993n],
    ['-9007199254740993', 2, -900719925474099300n],
  ])('%p with %p decimals is %p', (text, decimals, units) => {
    expect(parseUnits(text, decimals)).toBe(units)
  })

  test.each([
    '',
    '-',
    '.',
    '1.',
    '.5',
    '-.5',
    '01',
    '-01',
    '1.234',
    '1,0',
    '1e3',
    '+1',
    ' 1',
    '1 ',
    '１',
    '--1',
    '1.2.3',
    '1'.repeat(21),
  ])('refuses %p', (text) => {
    expect(parseUnits(text, 2)).toBeUndefined()
  })
})
