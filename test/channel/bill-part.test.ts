import { expect, test } from 'bun:test'
import { strategies } from '#channel/strategies'
import { BILL_PARTS } from './bill-part.ts'

test('every vendor has bills, and of the kinds that the table says', () => {
  const built = Object.entries(strategies).map(([name, { billTimes }]) => [name, billTimes?.kinds])
  const expected = Object.entries(BILL_PARTS).map(([name, { hasFund }]) => [
    name,
    hasFund ? ['transaction', 'fund'] : ['transaction'],
  ])
  expect(Object.fromEntries(built)).toEqual(Object.fromEntries(expected))
})
