import { writeZip } from '../../emulator/core/zip.ts'
import { describeBills } from '../bill-contract.ts'
import {
  MOVEMENTS,
  ROWS,
  accountZip,
  businessDate,
  bytesOf,
  entryOf,
  linesOf,
  partOf,
  readPieces,
  transactionZip,
} from './bill-support.ts'

const detail = entryOf('trade')
const bomb = Buffer.concat([detail.content, Buffer.alloc(32 * 1024 * 1024, '#\r\n')])

describeBills({
  name: 'alipay',
  part: () => partOf(),
  samples: [
    {
      name: 'the trade bill',
      kind: 'transaction',
      businessDate,
      raw: transactionZip(),
      lines: ROWS,
    },
    { name: 'the account bill', kind: 'fund', businessDate, raw: accountZip(), lines: MOVEMENTS },
  ],
  bomb: writeZip([{ ...detail, content: bomb }, entryOf('trade summary')]),
  pieces: {
    textOf: ({ kind }) => bytesOf(linesOf(kind === 'fund' ? 'account' : 'trade')),
    read: (pieces, { kind }) => readPieces(pieces, kind),
  },
})
