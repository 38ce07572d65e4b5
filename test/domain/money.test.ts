import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { decideConfirmation } from '#domain/confirm'
import { cny, formatYuan, jsonMinor, parseMinor, parseYuan } from '#domain/money'
import type { Money } from '#domain/money'

describe('parseYuan', () => {
  test.each([
    ['0', 0n],
    ['0.01', 1n],
    ['19.99', 1999n],
    ['1.2', 120n],
    ['999999999999999.99', 99_999_999_999_999_999n],
  ])('reads "%s" exactly', (text, minor) => {
    expect(parseYuan(text)).toEqual(cny(minor))
  })

  test.each(['', '1.234', '-1', '1e3', '01', '1,000', ' 1', '1.', '.5', '１.００', 'NaN', '+1'])(
    'refuses "%s"',
    (text) => {
      expect(parseYuan(text)).toBeUndefined()
    },
  )

  test('is the inverse of formatYuan', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 99_999_999_999_999_999n }), (minor) => {
        expect(parseYuan(formatYuan(cny(minor)))).toEqual(cny(minor))
      }),
    )
  })
})

describe('parseMinor', () => {
  test.each([1, 100, Number.MAX_SAFE_INTEGER])('reads %d', (value) => {
    expect(parseMinor(value)).toBe(BigInt(value))
  })

  test.each([0, -1, 1.5, 2 ** 53, Number.NaN, '1', null, undefined, 1n])('refuses %p', (value) => {
    expect(parseMinor(value)).toBeUndefined()
  })
})

/** The two decimals, by text alone: no arithmetic that the code under test could share. */
const DECIMALS = Array.from({ length: 100 }, (_, fen) => String(fen).padStart(2, '0'))

describe('MN-01, MN-02: a fen is never lost', () => {
  test.each([
    ['19.9', 1990n],
    ['19.90', 1990n],
    ['19.99', 1999n],
    ['1.67', 167n],
    ['1.1', 110n],
    ['0.07', 7n],
    ['0.29', 29n],
    ['0.57', 57n],
    ['1.15', 115n],
    ['8.2', 820n],
    ['64.1', 6410n],
    ['1136.1', 113_610n],
    ['4.35', 435n],
    ['1.005', undefined],
  ])('%s yuan are %p fen', (text, minor) => {
    expect(parseYuan(text)?.minor).toBe(minor)
  })

  test('every amount from 0.00 to 99999.99 comes back as it was written', () => {
    let wrong = 0
    let fen = 0n
    for (let yuan = 0; yuan <= 99_999; yuan += 1) {
      for (const decimals of DECIMALS) {
        const text = `${yuan}.${decimals}`
        const read = parseYuan(text)
        if (read?.minor !== fen || formatYuan(read) !== text) wrong += 1
        fen += 1n
      }
    }
    expect(fen).toBe(10_000_000n)
    expect(wrong).toBe(0)
  }, 60_000)

  test('what JSON carries is the same integer again, up to the largest', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }), (minor) => {
        const carried: unknown = JSON.parse(JSON.stringify({ total: jsonMinor(minor) }))
        expect(parseMinor(Object(carried).total)).toBe(minor)
      }),
    )
  })
})

describe('MN-03: one amount has one text', () => {
  test.each([
    [0n, '0.00'],
    [1n, '0.01'],
    [10n, '0.10'],
    [100n, '1.00'],
    [10_000n, '100.00'],
    [123_456_789n, '1234567.89'],
  ])('%p fen are written %s', (minor, text) => {
    expect(formatYuan(cny(minor))).toBe(text)
  })

  test.each(['100', '100.0', '100.00'])('and %s, however it came, goes out as 100.00', (text) => {
    expect(formatYuan(parseYuan(text) ?? cny(0n))).toBe('100.00')
  })
})

describe('MN-04: the unit is in the type', () => {
  /** Never run: each line is here for the compiler, which must refuse it. */
  const mixtures = (amount: Money, yuan: number, fen: bigint): unknown[] => [
    // @ts-expect-error A bare number is no amount.
    formatYuan(yuan),
    // @ts-expect-error Nor are bare minor units.
    formatYuan(fen),
    // @ts-expect-error A float of yuan is not made into fen.
    cny(yuan),
    // @ts-expect-error Yuan come as text.
    parseYuan(yuan),
    // @ts-expect-error An amount is not multiplied.
    amount * 100,
    // @ts-expect-error Nor are its fen, by a float.
    amount.minor * 0.01,
    // @ts-expect-error Amounts are not added as if they were numbers.
    amount + amount,
    // @ts-expect-error A currency that we do not take is none.
    formatYuan({ currency: 'USD', minor: fen }),
  ]

  test('mixing units does not compile', () => {
    expect(mixtures.length).toBe(3)
    expect(cny(1999n)).toEqual({ currency: 'CNY', minor: 1999n })
  })
})

describe('MN-05: amounts are compared as integers', () => {
  test.each([
    ['100', '100.00'],
    ['88.8', '88.80'],
    ['0.5', '0.50'],
  ])('%s and %s are the same amount', (one, other) => {
    expect(parseYuan(one)).toEqual(parseYuan(other))
    expect(parseYuan(one)?.minor === parseYuan(other)?.minor).toBe(true)
  })

  test.each([
    ['88.8', 'pay'],
    ['88.80', 'pay'],
    ['88.81', 'quarantine'],
    ['88.79', 'quarantine'],
    ['8880', 'quarantine'],
    ['0.888', 'quarantine'],
  ] as const)('a payment of 88.80 told as %s: %s', (text, kind) => {
    const minor = parseYuan(text)?.minor
    const decision = decideConfirmation({
      facts: {
        kind: 'payment',
        paymentNumber: 'p1',
        identity: { app: 'a' },
        vendorState: 'success',
        vendorStateText: 'SUCCESS',
        channelPaymentId: '4200',
        currency: 'CNY',
        ...(minor === undefined ? {} : { amountMinor: minor }),
      },
      channelAccountId: 'a1',
      identity: { app: 'a' },
      payment: {
        id: 'p1',
        channelAccountId: 'a1',
        amountMinor: 8880n,
        currency: 'CNY',
        state: 'pending',
        channelPaymentId: undefined,
        vendorTime: undefined,
        vendorProduct: undefined,
        orderState: 'unpaid',
      },
      vendorNumberOwner: undefined,
    })
    expect(decision.kind).toBe(kind)
    if (kind === 'quarantine') expect<unknown>(decision).toEqual({ kind, reason: 'amount_differs' })
  })
})
