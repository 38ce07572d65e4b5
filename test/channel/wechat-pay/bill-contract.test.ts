import { gzipSync } from 'node:zlib'
import type { BillLine } from '#channel/bill'
import { describeBills } from '../bill-contract.ts'
import {
  PAYMENTS,
  REFUNDS,
  businessDate,
  byLine,
  bytesOf,
  partOf,
  readPieces,
  sampleOf,
} from './bill-support.ts'
import type { SampleName } from './bill-support.ts'

const rawOf = (name: SampleName) => gzipSync(bytesOf(sampleOf(name).lines))

/** A movement of the fund bill, which knows only the vendor's numbers. */
function movement(line: number, said: Partial<BillLine>): BillLine {
  const isOfRefund = line > 3
  return {
    line,
    kind: 'fee',
    paymentNumber: '',
    channelPaymentId: isOfRefund ? '' : '4200002603202603141234567890',
    refundNumber: '',
    channelRefundId: isOfRefund ? '50300002602026031412345678901' : '',
    amountMinor: 0n,
    fee: '',
    rate: '',
    stateText: '',
    at: `${businessDate}T${isOfRefund ? '14:00:01' : '09:15:03'}+08:00`,
    ...said,
  }
}

const MOVEMENTS = [
  movement(2, { kind: 'payment', amountMinor: 10_000n, stateText: '交易 收入' }),
  movement(3, { amountMinor: 60n, fee: '0.60', stateText: '扣除交易手续费 支出' }),
  movement(4, { kind: 'refund', amountMinor: 3000n, stateText: '退款 支出' }),
  movement(5, { amountMinor: 18n, fee: '-0.18', stateText: '退还交易手续费 收入' }),
]

describeBills({
  name: 'wechat-pay',
  part: () => partOf(),
  samples: [
    {
      name: 'the transaction bill',
      kind: 'transaction',
      businessDate,
      raw: rawOf('ALL'),
      lines: byLine([...PAYMENTS, ...REFUNDS]),
    },
    {
      name: 'the fund bill',
      kind: 'fund',
      businessDate,
      raw: rawOf('FUND'),
      lines: MOVEMENTS,
    },
  ],
  bomb: gzipSync(Buffer.alloc(32 * 1024 * 1024, '`')),
  pieces: {
    textOf: ({ kind }) => bytesOf(sampleOf(kind === 'fund' ? 'FUND' : 'ALL').lines),
    read: (pieces, { kind }) => readPieces(pieces, kind),
  },
})
