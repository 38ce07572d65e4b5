import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { BillKind } from '#channel/bill'
import { brokenBy, cutAt } from '../bill-file.ts'
import { bytesOf, kindOf, readPieces, sampleOf, textOf, withCell } from './bill-support.ts'

const all = sampleOf('ALL').lines

describe('pieces', () => {
  const samples = (['ALL', 'SUCCESS', 'REFUND', 'FUND'] as const).map(
    (name) => [bytesOf(sampleOf(name).lines), kindOf(name)] as const,
  )
  const cuts = fc.array(fc.nat(2000), { maxLength: 12 })

  test('F113: wherever a bill is cut, its rows are the same', async () => {
    const whole = await Promise.all(samples.map(([bytes, kind]) => readPieces([bytes], kind)))
    await fc.assert(
      fc.asyncProperty(fc.nat(3), cuts, async (index, places) => {
        const [bytes, kind] = at(samples, index)
        const pieces = cutAt(
          bytes,
          places.map((place) => place % bytes.length),
        )
        expect(await readPieces(pieces, kind)).toEqual([...(whole[index] ?? [])])
      }),
      { numRuns: 300 },
    )
  })

  test('F113: byte by byte', async () => {
    const [bytes] = at(samples, 0)
    const single = [...bytes].map((byte) => Uint8Array.of(byte))
    expect(await readPieces(single)).toEqual([...(await readPieces([bytes]))])
  })

  test('F113: wherever an unsound bill is cut, it is as unsound', async () => {
    const text = bytesOf(withCell(all, 0, '订单金额', '100.01'))
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        const pieces = cutAt(
          text,
          places.map((place) => place % text.length),
        )
        expect((await brokenBy(readPieces(pieces))).line).toBe(8)
      }),
    )
  })

  test('a mark in the middle is no mark, wherever it is cut', async () => {
    const text = Buffer.from(`${textOf(all.slice(0, 3))}${textOf(all.slice(3))}`)
    for (let place = 1; place < text.length; place += 1) {
      expect((await brokenBy(readPieces(cutAt(text, [place])))).line).toBe(4)
    }
  })

  test('bytes at random are refused, and never anything worse', async () => {
    const kinds: readonly BillKind[] = ['transaction', 'fund']
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(...kinds),
        async (bytes, kind) => {
          await brokenBy(readPieces([bytes], kind))
        },
      ),
    )
  })
})

function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  if (found === undefined) throw new Error(`expected an element ${index}`)
  return found
}
