import { describeBills } from '../bill-contract.ts'
import {
  billOf,
  businessDate,
  vendorId,
  numberOf,
  paidAt,
  rawOf,
  readInPieces,
  refundAt,
  withRefunds,
} from './bill-support.ts'
import { listOf } from './vendor.ts'

const NOON = '2026-03-14T12:00:00'
const sold = withRefunds(paidAt(1, NOON), [refundAt(1, NOON)])
const page = (...items: readonly unknown[]) => JSON.stringify(listOf(items))

const payment = (line: number, index: number) =>
  ({
    line,
    kind: 'payment',
    paymentNumber: numberOf(index),
    channelPaymentId: vendorId(index),
    refundNumber: '',
    channelRefundId: '',
    amountMinor: 100n + BigInt(index),
    fee: '',
    rate: '',
    stateText: 'paid=true',
    at: `${NOON}+08:00`,
  }) as const

describeBills({
  name: 'pingpp',
  part: () => billOf(),
  samples: [
    {
      name: 'the lists of a day',
      kind: 'transaction',
      businessDate,
      raw: rawOf({
        pages: [
          ['paid', page(sold, paidAt(2, NOON))],
          ['refunded', page(sold)],
        ],
        figures: '2 203 1 11 0 0',
      }),
      lines: [
        payment(1, 1),
        payment(2, 2),
        {
          ...payment(3, 1),
          kind: 'refund',
          refundNumber: 'r0123456789abcdefghijklmno',
          channelRefundId: `re_${'1'.padStart(24, '0')}`,
          amountMinor: 11n,
          stateText: 'succeeded',
        },
      ],
    },
  ],
  pieces: {
    textOf: ({ raw }) => raw,
    read: (pieces) => readInPieces(pieces),
  },
})
