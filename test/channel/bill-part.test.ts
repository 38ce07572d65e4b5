import { expect, test } from 'bun:test'
import { strategies } from '#channel/strategies'
import { BILL_PARTS } from './bill-part.ts'

test('every vendor has bills, of the kinds and with the refunds that the table says', () => {
  const built = Object.entries(strategies).map(([name, { billTimes }]) => [
    name,
    {
      hasFund: billTimes?.kinds.includes('fund'),
      refundsBy: billTimes?.refundsBy,
      hasWalletNumbers: billTimes?.hasWalletNumbers,
    },
  ])
  const expected = Object.entries(BILL_PARTS).map(
    ([name, { hasFund, refundsBy, hasWalletNumbers }]) => [
      name,
      { hasFund, refundsBy, hasWalletNumbers },
    ],
  )
  expect(Object.fromEntries(built)).toEqual(Object.fromEntries(expected))
})
