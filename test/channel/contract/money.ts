import { describe, expect, test } from 'bun:test'
import { cny } from '#domain/money'
import fc from 'fast-check'
import { callsOf, perform } from './call.ts'
import { factsOf, read } from './callback.ts'
import { nameOf, openStage, prepare, productsOf, requestOf, toldPayment } from './stage.ts'
import type { ContractVendor } from './vendor.ts'

/** Amounts at which floats, factors and missing digits show: MN-01 to MN-03. */
const EDGES = [1n, 2n, 9n, 10n, 11n, 99n, 100n, 101n, 110n, 166n, 167n, 1989n, 1990n, 10_000n]
const LARGE = [99_999n, 1_000_000n, 3_600_001n, 99_999_999n, 123_456_789_012n]

export const edgesOf = ({ amountMinorMax }: ContractVendor): readonly bigint[] =>
  [...EDGES, ...LARGE, amountMinorMax - 1n, amountMinorMax].filter((m) => m <= amountMinorMax)

const within = ({ amountMinorMax }: ContractVendor) => fc.bigInt({ min: 1n, max: amountMinorMax })

export function describeMoney(vendor: ContractVendor): void {
  describe('amounts', () => {
    test.each(productsOf(vendor).map((product) => [nameOf(product), product] as const))(
      'MN-03: %s is ordered in the one form of this vendor, to the fen',
      (_name, product) => {
        const stage = openStage(vendor)
        const written = (minor: bigint) =>
          vendor.amountIn(prepare(stage, vendor, product, { amount: cny(minor) }).body)
        for (const minor of edgesOf(vendor)) expect(written(minor)).toBe(vendor.writeAmount(minor))
        fc.assert(
          fc.property(within(vendor), (minor) => {
            expect(written(minor)).toBe(vendor.writeAmount(minor))
          }),
        )
      },
    )

    test('MN-01, MN-02: come back in a callback as they were ordered', async () => {
      const stage = openStage(vendor)
      const readBack = async (minor: bigint) => {
        const told = toldPayment(stage, vendor, { amountText: vendor.writeAmount(minor) })
        return factsOf(await read(stage, vendor.voice('vendor').callback(told))).amountMinor
      }
      for (const minor of edgesOf(vendor)) expect(await readBack(minor)).toBe(minor)
      await fc.assert(
        fc.asyncProperty(within(vendor), async (minor) => {
          expect(await readBack(minor)).toBe(minor)
        }),
      )
    })

    test('MN-01, MN-02: come back in a query as they were ordered', async () => {
      for (const call of callsOf(vendor).filter(({ good }) => good === 'found')) {
        for (const minor of edgesOf(vendor)) {
          const told = { amountText: vendor.writeAmount(minor) }
          const { outcome } = await perform(vendor, call, { told })
          expect(outcome).toMatchObject({ kind: 'found', facts: { amountMinor: minor } })
        }
      }
    })

    test.each(vendor.amountTexts)('MN-05: the text %s is %p', async (amountText, minor) => {
      const stage = openStage(vendor)
      const told = toldPayment(stage, vendor, { amountText })
      const facts = factsOf(await read(stage, vendor.voice('vendor').callback(told)))
      expect(facts.amountMinor).toBe(minor)
    })

    test.each(productsOf(vendor).map((product) => [nameOf(product), product] as const))(
      'of nothing, of less and above what this vendor takes are refused for %s',
      (_name, product) => {
        const { channel } = openStage(vendor)
        for (const minor of [0n, -1n, vendor.amountMinorMax + 1n]) {
          const request = requestOf(vendor, product, { amount: cny(minor) })
          expect(channel.preparePayment(request)).toMatchObject({ kind: 'refused' })
        }
      },
    )
  })
}
