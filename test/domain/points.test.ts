import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { pointsFor, pointsToTakeBack } from '#domain/points'

/** Takes parts back one after the other, as refunds succeed. */
function takeBackAll(points: bigint, amountMinor: bigint, parts: readonly bigint[]): bigint[] {
  let refundedMinor = 0n
  let takenBack = 0n
  return parts.map((part) => {
    refundedMinor += part
    const taken = pointsToTakeBack({ points, amountMinor, refundedMinor, takenBack })
    takenBack += taken
    return taken
  })
}

const sum = (parts: readonly bigint[]): bigint => parts.reduce((total, part) => total + part, 0n)

/** An amount cut into parts that add up to it. */
const cut = fc
  .array(fc.bigInt({ min: 1n, max: 100_000n }), { minLength: 1, maxLength: 12 })
  .map((parts) => ({ parts, amount: sum(parts) }))

const rate = fc.bigInt({ min: 0n, max: 7n })

describe('pointsToTakeBack', () => {
  // Payment rules, section 4: keep = floor(points x what is left / amount).
  test.each([
    [19n, 1999n, [999n, 1000n], [10n, 9n]],
    [1n, 199n, [1n, 198n], [1n, 0n]],
    [20n, 2000n, [2000n], [20n]],
    [0n, 50n, [25n, 25n], [0n, 0n]],
    [3n, 300n, [100n, 100n, 100n], [1n, 1n, 1n]],
  ])('%p points for %p fen, refunded as %p: %p', (points, amount, parts, expected) => {
    expect(takeBackAll(points, amount, parts)).toEqual(expected)
  })

  test('parts add up to the whole', () => {
    fc.assert(
      fc.property(cut, rate, ({ parts, amount }, pointsPerYuan) => {
        const points = pointsFor(amount, { pointsPerYuan })
        expect(sum(takeBackAll(points, amount, parts))).toBe(points)
      }),
    )
  })

  test('no part is negative, and what is kept never exceeds its share nor falls a point below', () => {
    fc.assert(
      fc.property(cut, rate, fc.nat(12), ({ parts, amount }, pointsPerYuan, count) => {
        const points = pointsFor(amount, { pointsPerYuan })
        const some = parts.slice(0, count)
        const taken = takeBackAll(points, amount, some)
        for (const part of taken) expect(part).toBeGreaterThanOrEqual(0n)
        const kept = points - sum(taken)
        const left = amount - sum(some)
        expect(kept * amount).toBeLessThanOrEqual(points * left)
        expect((kept + 1n) * amount).toBeGreaterThan(points * left)
      }),
    )
  })

  test('the order of the parts does not matter in the end', () => {
    fc.assert(
      fc.property(cut, rate, ({ parts, amount }, pointsPerYuan) => {
        const points = pointsFor(amount, { pointsPerYuan })
        const some = parts.slice(1)
        const there = sum(takeBackAll(points, amount, some))
        expect(sum(takeBackAll(points, amount, some.toReversed()))).toBe(there)
      }),
    )
  })
})
