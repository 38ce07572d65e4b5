import { describe, expect, test } from 'bun:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { digestFacts, parsePaymentFacts, storeFacts } from '#domain/facts'
import { newPaymentId, parsePaymentId } from '#domain/id'
import type { PaymentFacts } from '#domain/notification'
import { pointsFor } from '#domain/points'
import { Secret } from '#domain/secret'
import { paymentMoves } from '#domain/state'
import { formatChinaTime, parseRfc3339 } from '#domain/time'

test('a new id has 26 letters and digits, sorts by time, and parses', () => {
  const ids = Array.from({ length: 50 }, newPaymentId)
  for (const id of ids) expect(id).toMatch(/^p[0-9a-z]{25}$/)
  expect(ids.map((id) => parsePaymentId(id))).toEqual(ids)
  expect(new Set(ids).size).toBe(50)
  expect(parsePaymentId('p123')).toBeUndefined()
  expect(parsePaymentId(`x${'0'.repeat(25)}`)).toBeUndefined()
})

test('a secret shows itself nowhere but in reveal', () => {
  const secret = new Secret('hunter2')
  expect(
    `${secret.toString()} ${JSON.stringify({ secret })} ${inspect(secret)} ${Bun.inspect(secret)}`,
  ).not.toContain('hunter2')
  expect(secret.reveal()).toBe('hunter2')
})

test('only whole yuan earn points', () => {
  expect(pointsFor(199n, { pointsPerYuan: 1n })).toBe(1n)
  expect(pointsFor(99n, { pointsPerYuan: 1n })).toBe(0n)
  expect(pointsFor(1000n, { pointsPerYuan: 3n })).toBe(30n)
})

test('nothing leads from paid back', () => {
  for (const to of ['created', 'pending', 'closed', 'paid'] as const) {
    expect(paymentMoves.paid.includes(to)).toBe(false)
  }
  expect(paymentMoves.closed.includes('paid')).toBe(true)
})

describe('times', () => {
  test('are written in China time and read with fractions and any offset', () => {
    const moment = new Date('2026-03-14T01:15:02Z')
    expect(formatChinaTime(moment)).toBe('2026-03-14T09:15:02+08:00')
    expect(parseRfc3339('2026-03-14T09:15:02.120+08:00')?.toISOString()).toBe(
      '2026-03-14T01:15:02.120Z',
    )
    expect(parseRfc3339('2026-03-14 09:15:02')).toBeUndefined()
    expect(parseRfc3339('2026-13-14T09:15:02Z')).toBeUndefined()
  })
})

describe('stored facts', () => {
  const facts: PaymentFacts = {
    kind: 'payment',
    paymentNumber: 'p1',
    identity: { b: '2', a: '1' },
    vendorState: 'success',
    vendorStateText: 'SUCCESS',
    channelPaymentId: '4200002603202603149876543210',
    amountMinor: 9_007_199_254_740_993n,
    currency: 'CNY',
    paidAt: new Date('2026-03-14T01:15:02Z'),
  }

  test('come back as they were, long numbers and times included', () => {
    expect(parsePaymentFacts(JSON.parse(JSON.stringify(storeFacts(facts))))).toEqual(facts)
  })

  test('have the same digest in any order of keys, and another for any other value', () => {
    const turned = { ...facts, identity: { a: '1', b: '2' } }
    expect(digestFacts(storeFacts(turned))).toBe(digestFacts(storeFacts(facts)))
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 15n }), (amountMinor) => {
        const other = digestFacts(storeFacts({ ...facts, amountMinor }))
        expect(other === digestFacts(storeFacts(facts))).toBe(amountMinor === facts.amountMinor)
      }),
    )
  })
})
