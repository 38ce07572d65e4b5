import { describe, expect, test } from 'bun:test'
import { refundStateOf } from '#channel/unionpay/wire'
import { assert } from '#domain/assert'
import { parseRefundFacts, storeFacts } from '#domain/facts'
import { judge } from '#domain/notification'
import type { VendorRefundState } from '#domain/notification'
import { contentOf, paymentId, reasonOf } from '../support.ts'
import {
  buildChannel,
  formOf,
  merId,
  noticeOf,
  read,
  readSigned,
  vector,
  vectorMessage,
} from './support.ts'
import type { Message } from './support.ts'

const refundId = 'r0123456789abcdefghijklmno'
const refundTime = '20260315093000'

/** UnionPay dossier, section 3.2: a notice of a refund has its own numbers, and the payment's as `origQryId`. */
const refundNotice: Message = {
  orderId: refundId,
  origQryId: '782603141015300001238',
  queryId: '512603150930000002348',
  reqReserved: paymentId,
  txnAmt: '3000',
  txnSubType: '00',
  txnTime: refundTime,
  txnType: '04',
}

const contentFor = async (changes: Message = {}) =>
  contentOf(await readSigned({ ...refundNotice, ...changes }))

async function factsFor(changes: Message = {}) {
  const { facts } = await contentFor(changes)
  assert(facts.kind === 'refund', `expected a refund, found ${facts.kind}`)
  return facts
}

describe('a notice of a refund', () => {
  test('unionpay checklist 35: is the end of that refund, of the payment that we named', async () => {
    const { eventKey, facts } = await contentFor()
    expect(eventKey).toBe(`acp:04:00:${refundId}:${refundTime}:512603150930000002348:00`)
    expect(facts).toEqual({
      kind: 'refund',
      paymentNumber: paymentId,
      refundNumber: refundId,
      identity: { merId },
      refundState: 'succeeded',
      refundStateText: '00',
      channelRefundId: '512603150930000002348',
      amountMinor: 3000n,
      currency: 'CNY',
    })
    assert(facts.kind === 'refund', 'as shown')
    expect(parseRefundFacts(storeFacts(facts))).toEqual(facts)
  })

  test.each(['', 'store=7', 'P0123456789ABCDEFGHIJKLMNO', refundId])(
    'that brings back %j names the refund alone',
    async (reqReserved) => {
      expect(await factsFor({ reqReserved })).toMatchObject({
        paymentNumber: '',
        refundNumber: refundId,
      })
    },
  )

  test.each(['00', 'A6', '01', '45', '05', 'ZZ'])(
    'unionpay checklist 31: is acknowledged with the code %s, success or not',
    async (respCode) => {
      const reading = await readSigned({ ...refundNotice, respCode })
      assert(reading.kind === 'verified', 'it is genuine')
      expect(judge(reading.notification)).toBe('other')
    },
  )

  test('money rule 6: a failure and the success that follows it are two events', async () => {
    const [failed, done] = [await contentFor({ respCode: '01' }), await contentFor()]
    expect(failed.facts).toMatchObject({ refundState: 'refused' })
    expect(done.facts).toMatchObject({ refundState: 'succeeded' })
    expect(failed.eventKey).not.toBe(done.eventKey)
  })

  test.each(['queryId', 'txnAmt', 'currencyCode', 'origQryId'])(
    'is still one without %s',
    async (name) => {
      expect(await factsFor({ [name]: '' })).toMatchObject({ refundState: 'succeeded' })
    },
  )

  test.each(['0', '-1', '30.00', '1e3'])('with the amount %j has no amount', async (txnAmt) => {
    expect('amountMinor' in (await factsFor({ txnAmt }))).toBe(false)
  })

  test('is refused when one digit of its amount is changed', async () => {
    const reading = await readSigned(refundNotice)
    expect(reading.kind).toBe('verified')
    const { signature = '', ...vendorWords } = vectorMessage(vector.responses.refund)
    const changed = formOf({ ...vendorWords, txnAmt: '2', signature })
    const at = new Date('2024-01-05T07:00:00Z')
    expect(reasonOf(await read(changed, buildChannel({ at })))).toBe('bad_signature')
  })
})

describe('the answer to a call about a refund, brought as a notice', () => {
  test('unionpay checklist 35: the published answer to a refund means accepted, and no success', async () => {
    const message = vectorMessage(vector.responses.refund)
    const at = new Date('2024-01-05T07:00:00Z')
    const { facts } = contentOf(await read(formOf(message), buildChannel({ at })))
    expect(facts).toEqual({
      kind: 'refund',
      paymentNumber: '',
      refundNumber: 'refundpay20240105165842',
      identity: { merId: '777290058167151' },
      refundState: 'accepted',
      refundStateText: '00',
      channelRefundId: '052401051658427863998',
      amountMinor: 1n,
    })
  })

  test('a definite refusal is one from whatever hand', async () => {
    expect(await factsFor({ respCode: '36', traceNo: '' })).toMatchObject({
      refundState: 'refused',
    })
  })

  test('the answer to a query is no notice', async () => {
    const { facts } = await contentFor({ origRespCode: '01' })
    expect(facts.kind).toBe('unreadable')
  })
})

/** UnionPay dossier, section 2.6, written out by hand for refunds (RF-09). */
const STATES: readonly (readonly [VendorRefundState, string])[] = [
  ['succeeded', '00 A6'],
  ['refused', '01 02 10 11 13 14 15 30 31 32 33 35 36 38 39 40 41 43 44 47 48'],
  ['refused', '60 61 62 63 64 65 66 67 68 69 71 72 73 76 77 78 79 80 81 82'],
  ['refused', '85 86 87 88 89 90 91 92 93 94 95 96'],
  // The money moved once, in a way that only a person can tell.
  ['abnormal', '42 45 46 74 75'],
  ['unknown', '03 04 05 06 70 83'],
  ['unknown', '12 34 37 98 99 16 84 97 a6 0 000 constructor toString'],
]

describe.each(STATES)('RF-09: %s is what a refund is', (state, codes) => {
  test.each(codes.split(' '))('unionpay checklist 35: with the code %s', async (code) => {
    expect(refundStateOf(code)).toBe(state)
    expect((await factsFor({ respCode: code })).refundState).toBe(state)
  })
})

test('every code of the dossier’s table has its place', () => {
  const table = [...Array.from({ length: 100 }, (_, at) => String(at).padStart(2, '0')), 'A6']
  // What the table leaves out, 07 to 09 among them, is unknown and was not forgotten above.
  const left = table.filter((code) => !STATES.some(([, codes]) => codes.split(' ').includes(code)))
  expect(left.every((code) => refundStateOf(code) === 'unknown')).toBe(true)
  expect(left).toEqual(
    '07 08 09 17 18 19 20 21 22 23 24 25 26 27 28 29 49'
      .split(' ')
      .concat('50 51 52 53 54 55 56 57 58 59'.split(' ')),
  )
})

test('a notice of a void is other news', async () => {
  expect((await contentFor({ txnType: '31' })).facts).toEqual({
    kind: 'other',
    eventType: 'acp:31',
  })
})

test('a notice of a refund has the payment’s own fields in no place', async () => {
  const stored = JSON.stringify(storeFacts(await factsFor()))
  expect(stored).not.toContain(noticeOf()['accNo'] ?? '-')
  expect(stored).not.toContain('signature')
})
