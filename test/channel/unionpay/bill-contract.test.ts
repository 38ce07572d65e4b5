import type { BillLine } from '#channel/bill'
import { readRecords } from '#channel/unionpay/bill-read'
import { RecordReader, detailLayout } from '#channel/unionpay/wire-bill'
import { describeBills } from '../bill-contract.ts'
import {
  LINES,
  archive,
  businessDate,
  bytesOf,
  content,
  detailName,
  fixture,
  packed,
  partOf,
  payment,
  refund,
} from './bill-support.ts'

async function readPieces(pieces: readonly Uint8Array[]): Promise<readonly BillLine[]> {
  async function* source() {
    yield* pieces
  }
  const reader = new RecordReader({ merId: fixture.merId, businessDate })
  const reading = readRecords(source(), detailLayout, { lines: 0 }, (cells) => reader.detail(cells))
  return (await Array.fromAsync(reading)).flat()
}

const sample = { kind: 'transaction', businessDate, lines: LINES } as const

describeBills({
  name: 'unionpay',
  part: () => partOf(),
  samples: [
    { ...sample, name: 'the content', raw: content },
    { ...sample, name: 'the archive', raw: archive },
  ],
  bomb: packed([{ name: detailName, bytes: new Uint8Array(16 * 1024 * 1024) }]),
  pieces: { textOf: () => bytesOf([payment(), refund()]), read: readPieces },
})
