import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ReturnFields, ReturnReading } from '#channel/channel'
import { assert } from '#domain/assert'
import { paymentId } from '../support.ts'
import { buildChannel, noticeOf, signedBy } from './support.ts'
import type { Message } from './support.ts'

function readReturn(fields: ReturnFields): Promise<ReturnReading> {
  const { channel } = buildChannel()
  assert(channel.readReturn !== undefined, 'this vendor signs returns')
  return channel.readReturn(fields)
}

const fieldsOf = (message: Message): ReturnFields => Object.entries(message)

describe('a return of the customer', () => {
  test('unionpay checklist 33: names the payment, and says nothing of money', async () => {
    expect(await readReturn(fieldsOf(signedBy(noticeOf())))).toEqual({
      kind: 'verified',
      paymentNumber: paymentId,
    })
  })

  test('unionpay checklist 33: a failure that is signed names it just so', async () => {
    expect((await readReturn(fieldsOf(signedBy(noticeOf({ respCode: '01' }))))).kind).toBe(
      'verified',
    )
  })

  test.each<[string, Message, RegExp]>([
    [
      'a changed field',
      { ...signedBy(noticeOf()), orderId: 'p0000000000000000000000000' },
      /^bad_/,
    ],
    ['no signature', { ...noticeOf(), signMethod: '01' }, /^field_missing/],
    ['a stranger’s signature', signedBy(noticeOf(), 'forged'), /^untrusted_certificate/],
    ['another company’s signature', signedBy(noticeOf(), 'other'), /^untrusted_certificate/],
    ['no order', signedBy(noticeOf({ orderId: '' })), /names no order/],
    ['nothing', {}, /^wrong_algorithm/],
  ])('is unverified with %s', async (_, message, explanation) => {
    expect(await readReturn(fieldsOf(message))).toEqual({
      kind: 'unverified',
      explanation: expect.stringMatching(explanation),
    })
  })

  test('is unverified with a parameter of our own, or a field twice', async () => {
    const fields = fieldsOf(signedBy(noticeOf()))
    expect((await readReturn([['p', '1'], ...fields])).kind).toBe('unverified')
    expect((await readReturn([...fields, ['orderId', paymentId]])).kind).toBe('unverified')
  })

  test('never throws', async () => {
    const anything = fc.array(fc.tuple(fc.string(), fc.string({ unit: 'binary' })), {
      maxLength: 9,
    })
    await fc.assert(
      fc.asyncProperty(anything, async (fields) => {
        expect((await readReturn(fields)).kind).toBe('unverified')
      }),
      { numRuns: 100 },
    )
  })
})
