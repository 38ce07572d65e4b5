import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeZip } from '../../emulator/core/zip.ts'
import { brokenBy } from '../bill-file.ts'
import { businessDate, entryOf, linesOf, partOf, read } from './bill-support.ts'

const LINES = 50_000

/** As many payments as that, in the layout of the sample; the total may be wrong by one. */
function largeZip(more = 0): Uint8Array {
  const sample = linesOf('trade')
  const rows = Array.from({ length: LINES }, (_, index) => {
    const number = String(index).padStart(8, '0')
    return (sample[5] ?? '')
      .replace('T20260130_01', `T${number}`)
      .replace('0000000001', `00${number}`)
  })
  const yuan = `${LINES / 2}.00`
  const detail = [
    ...sample.slice(0, 5),
    ...rows,
    sample[8] ?? '',
    `#交易合计：${LINES + more}笔，商家实收共${yuan}元，商家优惠共0.00元`,
    '#退款合计：0笔，商家实收退款共0.00元，商家优惠退款共0.00元',
  ]
  const values = `${LINES},0,${yuan},${yuan},0.00,0.00,0.00,0.00,0.00,${yuan}`
  const summary = [...linesOf('trade summary').slice(0, 5), `,,${values}`, `合计\t,\t,${values}`]
  return writeZip([entryOf('trade', detail), entryOf('trade summary', summary)])
}

test('F114: 50,000 lines are read in small batches, and never all at once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'alipay-bill-'))
  try {
    const raw = largeZip()
    const path = join(directory, 'raw')
    await Bun.write(path, raw)
    const file = { path, bytes: raw.length, businessDate }
    const numbers = new Set<string>()
    let last = 0
    for await (const batch of partOf().read(file, 'transaction')) {
      expect(batch.length).toBeLessThan(5_000)
      for (const { paymentNumber, line } of batch) {
        numbers.add(paymentNumber)
        last = line
      }
    }
    expect([numbers.size, last]).toEqual([LINES, LINES + 5])
  } finally {
    await rm(directory, { recursive: true })
  }
}, 30_000)

test('F114, F111: a total that is wrong by one is found behind 50,000 lines', async () => {
  const broken = await brokenBy(read(largeZip(1)))
  expect(broken.message).toContain(`the lines are ${LINES} rows`)
  expect(broken.line).toBe(LINES + 7)
}, 30_000)
