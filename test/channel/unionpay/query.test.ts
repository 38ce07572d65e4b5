import { describe, expect, test } from 'bun:test'
import type { VendorState } from '#domain/notification'
import { vendorStateOf } from '#channel/unionpay/wire'
import { paymentId } from '../support.ts'
import {
  buildChannel,
  certId,
  merId,
  noticeOf,
  reference,
  signedBy,
  rawOf,
  textOf,
  sha256,
  chain,
  txnTime,
} from './support.ts'
import type { Message } from './support.ts'
import { answering, startVendor } from './vendor.ts'
import { verify } from 'node:crypto'

const { respMsg: _respMsg, ...notice } = noticeOf()
const fateOf = (changes: Message): Message => ({
  ...notice,
  bizType: '000000',
  respCode: '00',
  origRespCode: '00',
  ...changes,
})

async function queried(message: Message) {
  await using vendor = startVendor([() => new Response(rawOf(signedBy(message)))])
  return await vendor.channel.queryPayment(reference, vendor.record)
}

test('a query names the payment’s own number and time, and is signed', async () => {
  await using vendor = startVendor([answering({ respCode: '34' })])
  await vendor.channel.queryPayment(reference, vendor.record)
  const [heard] = vendor.heard
  const { signature = '', ...fields } = heard?.fields ?? {}
  expect(fields).toEqual({
    version: '5.1.0',
    encoding: 'UTF-8',
    certId,
    signMethod: '01',
    txnType: '00',
    txnSubType: '00',
    bizType: '000000',
    accessType: '0',
    merId,
    orderId: paymentId,
    txnTime,
  })
  expect(heard?.path).toBe('/gateway/api/queryTrans.do')
  expect(heard?.headers['content-type']).toBe('application/x-www-form-urlencoded;charset=UTF-8')
  const digest = Buffer.from(sha256(textOf(fields)))
  const bytes = Buffer.from(signature, 'base64')
  expect(verify('sha256', digest, chain.merchant.certificate, bytes)).toBe(true)
})

describe('the two codes of an answer', () => {
  test.each(['00', 'A6'])(
    'unionpay checklist 27: 00 with %s is paid, and carries all that is compared',
    async (origRespCode) => {
      expect(await queried(fateOf({ origRespCode }))).toEqual({
        kind: 'found',
        facts: {
          kind: 'payment',
          paymentNumber: paymentId,
          identity: { merId },
          vendorState: 'success',
          vendorStateText: origRespCode,
          vendorTime: txnTime,
          channelPaymentId: '782603141015300001238',
          amountMinor: 12_800n,
          currency: 'CNY',
          clearingDate: '0314',
        },
      })
    },
  )

  test.each([
    ['txnAmt', { txnAmt: '12801' }, { amountMinor: 12_801n }],
    ['currencyCode', { currencyCode: '840' }, { currency: '840' }],
  ])('unionpay checklist 27: a different %s is told as it is', async (_, changes, facts) => {
    expect(await queried(fateOf(changes))).toMatchObject({ kind: 'found', facts })
  })

  test.each(['', '0', '-1', '1.00', '1e3', ' 12800x', '1234567890123'])(
    'an amount that is none is no amount: %j',
    async (txnAmt) => {
      const outcome = await queried(fateOf({ txnAmt }))
      expect(outcome.kind === 'found' && 'amountMinor' in outcome.facts).toBe(false)
    },
  )

  test.each([['04'], ['31'], ['00'], ['']])(
    'unionpay checklist 27: is unknown when it is about the kind %j',
    async (txnType) => {
      expect(await queried(fateOf({ txnType }))).toEqual({
        kind: 'unknown',
        cause: 'the answer is not about a payment',
      })
    },
  )

  test.each(['03', '05', '01', '11', '42', '99', 'ZZ'])(
    'a bad outer code is unknown whatever the inner one says: %s',
    async (respCode) => {
      expect(await queried(fateOf({ respCode }))).toEqual({
        kind: 'unknown',
        cause: `respCode ${respCode}`,
      })
    },
  )

  test('an answer without the inner code is unknown', async () => {
    expect((await queried(fateOf({ origRespCode: '' }))).kind).toBe('unknown')
  })

  test('unionpay checklist 28: 34 is absent at any time, and never a failure', async () => {
    await using vendor = startVendor([answering({ respCode: '34' })])
    for (const days of [0, 1, 30]) {
      vendor.clock.set(new Date(reference.createdAt.getTime() + days * 86_400_000))
      const outcome = await vendor.channel.queryPayment(reference, vendor.record)
      expect(outcome).toEqual({ kind: 'absent', code: '34', isSigned: true })
    }
  })

  test('unionpay checklist 28: an inner 34 says nothing either', async () => {
    expect(await queried(fateOf({ origRespCode: '34' }))).toMatchObject({
      facts: { vendorState: 'unknown' },
    })
  })

  test('unionpay checklist 30: 37 changes no state', async () => {
    expect(await queried(fateOf({ respCode: '37', origRespCode: '' }))).toEqual({
      kind: 'unknown',
      cause: 'respCode 37',
    })
    expect(vendorStateOf('37')).toBe('unknown')
  })
})

/** UnionPay dossier, section 2.6, written out by hand. */
const STATES: readonly (readonly [VendorState, string])[] = [
  ['success', '00 A6'],
  ['money_moved', '42 74 75'],
  ['failed', '01 02 10 11 13 14 15 30 31 32 33 38 39 40 41 43 44 47 48'],
  ['failed', '60 61 62 63 64 65 66 67 68 69 71 72 73 76 77 78 79 80 81 82'],
  ['failed', '85 86 87 88 89 90 91 92 93 94 95 96'],
  // After these the payment may still succeed: closing at the deadline would lose it.
  ['unknown', '03 04 05 06 70 83'],
  ['unknown', '12 34 35 36 37 45 46 98 99 16 84 97 a6 0 000 constructor toString'],
]

test.each(STATES)('unionpay checklist 26: %s is what a payment is with %s', (state, codes) => {
  for (const code of codes.split(' ')) expect([code, vendorStateOf(code)]).toEqual([code, state])
})

test('there is no close, and the pace is that of front products', () => {
  const { channel } = buildChannel()
  expect(channel.closePayment).toBeUndefined()
  expect(channel.capabilities).toMatchObject({
    close: false,
    credentialSeconds: {},
    queryPaceSeconds: [5, 10, 30, 60, 120].map((minutes) => minutes * 60),
  })
})

test('unionpay checklist 46: no key and no card number stands in what is recorded', async () => {
  await using vendor = startVendor([() => new Response(rawOf(signedBy(fateOf({}))))])
  await vendor.channel.queryPayment(reference, vendor.record)
  const [exchange] = vendor.exchanges
  expect(exchange).toMatchObject({ kind: 'query', status: 200 })
  const text = JSON.stringify(exchange)
  expect(text).toContain(paymentId)
  expect(text).toMatch(/accNo=\[redacted\]/)
  expect(text).toMatch(/[?&]signature=\[redacted\]/)
  for (const secret of ['PRIVATE KEY', notice['accNo'] ?? '-', chain.merchant.privateKey]) {
    expect(text).not.toContain(secret)
  }
})
