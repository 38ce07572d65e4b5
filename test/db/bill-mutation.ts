import type { LoadedLine } from '#db/bill/bill-copy'
import { newPaymentId, newRefundId } from '#domain/id'

// What can be changed in a line of a day that agrees, and what a comparison must find then.

export interface Mutation {
  readonly name: string
  /** The line in place of this one, or more, or none; `other` is another payment of the bill. */
  change(line: LoadedLine, other: string): readonly LoadedLine[]
  /** What is found; `$` is the number of the line's own payment or refund, `#` its number in the file. */
  readonly found: readonly string[]
}

export const OF_PAYMENT: readonly Mutation[] = [
  { name: 'is not there', change: () => [], found: ['missing_there payment $ 2000 -'] },
  {
    name: 'is there twice',
    change: (line) => [line, line],
    found: ['duplicate payment $ # 2000 2000'],
  },
  {
    name: 'has a fen more',
    change: (line) => [{ ...line, amountMinor: line.amountMinor + 1n }],
    found: ['amount_differs payment $ 2000 2001'],
  },
  {
    name: 'has a fen less',
    change: (line) => [{ ...line, amountMinor: line.amountMinor - 1n }],
    found: ['amount_differs payment $ 2000 1999'],
  },
  {
    name: 'has another number of our form',
    change: (line) => [{ ...line, paymentNumber: newPaymentId() }],
    found: ['number_differs payment $ 2000 2000'],
  },
  {
    name: 'has a number of another till',
    change: (line) => [{ ...line, paymentNumber: 'TILL-7' }],
    found: ['number_differs payment $ 2000 2000'],
  },
  {
    name: 'has another number of the vendor',
    change: (line) => [{ ...line, channelPaymentId: '4200' }],
    found: ['number_differs payment $ 2000 2000'],
  },
  {
    name: 'has a larger fee',
    change: (line) => [{ ...line, fee: '0.14000' }],
    found: ['fee_differs payment $ 2000 2000'],
  },
  {
    name: 'has another rate',
    change: (line) => [{ ...line, rate: '0.01' }],
    found: ['fee_differs payment $ 2000 2000'],
  },
  // A note at most (payment rules, section 8): the vendor rounds as it likes.
  { name: 'has a fee with a fen less', change: (line) => [{ ...line, fee: '0.11000' }], found: [] },
  // Numbers join, whatever the date.
  {
    name: 'is of another day',
    change: (line) => [{ ...line, at: '2026-01-01T00:00:00+08:00' }],
    found: [],
  },
  { name: 'has another word', change: (line) => [{ ...line, stateText: 'REFUND' }], found: [] },
  {
    name: 'is of a kind that nobody knows',
    change: (line) => [{ ...line, kind: 'other', stateText: 'REVOKED' }],
    found: ['missing_there payment $ 2000 -', 'unclassified day REVOKED # - 2000'],
  },
]

export const OF_REFUND: readonly Mutation[] = [
  { name: 'is not there', change: () => [], found: ['missing_there refund $ 300 -'] },
  {
    name: 'is there twice',
    change: (line) => [line, line],
    found: ['duplicate refund $ # 300 300'],
  },
  {
    name: 'has a fen more',
    change: (line) => [{ ...line, amountMinor: line.amountMinor + 1n }],
    found: ['amount_differs refund $ 300 301'],
  },
  {
    name: 'has another number of our form',
    change: (line) => [{ ...line, refundNumber: newRefundId() }],
    found: ['number_differs refund $ 300 300'],
  },
  {
    name: 'has another number of the vendor',
    change: (line) => [{ ...line, channelRefundId: '5000' }],
    found: ['number_differs refund $ 300 300'],
  },
  {
    name: 'is of another payment',
    change: (line, other) => [{ ...line, paymentNumber: other }],
    found: ['number_differs refund $ 300 300'],
  },
  {
    name: 'gives too little of its fee back',
    change: (line) => [{ ...line, fee: '0.02000' }],
    found: ['fee_differs refund $ 300 300'],
  },
  {
    name: 'has a state that is frozen',
    change: (line) => [{ ...line, stateText: 'PROCESSING' }],
    found: [],
  },
  {
    name: 'is taken for a payment',
    change: (line) => [{ ...line, kind: 'payment' }],
    // RC-10: neither is hidden by the other.
    found: ['duplicate payment @ # 2000 300', 'missing_there refund $ 300 -'],
  },
]

export const ownNumber = (line: LoadedLine): string =>
  line.kind === 'refund' ? line.refundNumber : line.paymentNumber
