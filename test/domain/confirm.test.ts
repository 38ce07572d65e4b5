import { describe, expect, test } from 'bun:test'
import { decideConfirmation } from '#domain/confirm'
import type { ConfirmInput, PaymentView } from '#domain/confirm'
import type { PaymentFacts } from '#domain/notification'

const identity = { mchid: '1900000109', appid: 'wx1' }

const facts: PaymentFacts = {
  kind: 'payment',
  paymentNumber: 'p1',
  identity,
  vendorState: 'success',
  vendorStateText: 'SUCCESS',
  channelPaymentId: '4200',
  amountMinor: 100n,
  currency: 'CNY',
}

const payment: PaymentView = {
  id: 'p1',
  channelAccountId: 'a1',
  amountMinor: 100n,
  currency: 'CNY',
  state: 'pending',
  channelPaymentId: undefined,
  vendorTime: undefined,
  vendorProduct: undefined,
  orderState: 'unpaid',
}

const input: ConfirmInput = {
  facts,
  channelAccountId: 'a1',
  identity,
  payment,
  vendorNumberOwner: undefined,
}

describe('decideConfirmation', () => {
  test.each([
    ['created', 'unpaid', 'counted'],
    ['pending', 'unpaid', 'counted'],
    ['closed', 'unpaid', 'counted'],
    ['pending', 'closed', 'late'],
    ['pending', 'paid', 'excess'],
    ['closed', 'refunded', 'excess'],
  ] as const)(
    'a %s attempt of a %s order becomes paid and %s',
    (state, orderState, disposition) => {
      expect(decideConfirmation({ ...input, payment: { ...payment, state, orderState } })).toEqual({
        kind: 'pay',
        disposition,
      })
    },
  )

  test('a repeat with the same vendor number changes nothing', () => {
    const paid = {
      ...payment,
      state: 'paid',
      channelPaymentId: '4200',
      orderState: 'paid',
    } as const
    expect(decideConfirmation({ ...input, payment: paid })).toEqual({ kind: 'already_paid' })
  })

  test.each([
    ['unknown_payment', { payment: undefined }],
    ['other_account', { channelAccountId: 'a2' }],
    ['identity_differs', { facts: { ...facts, identity: { ...identity, appid: 'wx2' } } }],
    ['identity_differs', { facts: { ...facts, identity: {} } }],
    ['currency_differs', { facts: { ...facts, currency: 'USD' } }],
    ['amount_differs', { facts: { ...facts, amountMinor: 99n } }],
    ['amount_differs', { facts: { ...facts, amountMinor: 101n } }],
    ['vendor_number_taken', { vendorNumberOwner: 'p2' }],
  ] as const)('%s is for a person', (reason, change) => {
    expect(decideConfirmation({ ...input, ...change })).toEqual({ kind: 'quarantine', reason })
  })

  test.each(['not_yet', 'closed', 'failed', 'money_moved', 'unknown'] as const)(
    'the vendor state %s moves nothing and asks the vendor',
    (vendorState) => {
      expect(decideConfirmation({ ...input, facts: { ...facts, vendorState } })).toEqual({
        kind: 'ask_vendor',
      })
    },
  )

  test('no amount and no number are never success', () => {
    const { amountMinor: _amount, ...withoutAmount } = facts
    const { channelPaymentId: _number, ...withoutNumber } = facts
    expect(decideConfirmation({ ...input, facts: withoutAmount }).kind).toBe('quarantine')
    expect(decideConfirmation({ ...input, facts: withoutNumber }).kind).toBe('quarantine')
  })
})
