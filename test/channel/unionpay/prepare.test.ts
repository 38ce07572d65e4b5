import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { PaymentRequest, PrepareOutcome } from '#channel/channel'
import { parseFen } from '#channel/unionpay/wire'
import { assert } from '#domain/assert'
import { mint } from '#domain/brand'
import type { PaymentId } from '#domain/id'
import { cny } from '#domain/money'
import { paymentId } from '../support.ts'
import { buildChannel, merId, now, requestOf, txnTime } from './support.ts'

const prepare = (changes: Partial<PaymentRequest> = {}, at = now): PrepareOutcome =>
  buildChannel({ at }).channel.preparePayment(requestOf(changes))

function fieldsOf(changes: Partial<PaymentRequest> = {}, at = now): Record<string, string> {
  const outcome = prepare(changes, at)
  assert(outcome.kind === 'prepared', `expected prepared, found ${JSON.stringify(outcome)}`)
  return Object.fromEntries(new URLSearchParams(outcome.prepared.body))
}

const common = {
  version: '5.1.0',
  encoding: 'UTF-8',
  txnType: '01',
  accessType: '0',
  merId,
  orderId: paymentId,
  txnTime,
  txnAmt: '12800',
  currencyCode: '156',
  backUrl: 'https://pay.example.com/callback/a',
  payTimeout: '20260314103030',
  riskRateInfo: '{commodityName=Green tea 绿茶}',
}
const frontUrl = 'https://pay.example.com/return/a/p'

test.each([
  ['page', { txnSubType: '01', bizType: '000201', channelType: '07', frontUrl }],
  ['wap', { txnSubType: '01', bizType: '000201', channelType: '08', frontUrl }],
  ['app', { txnSubType: '01', bizType: '000201', channelType: '08', accType: '01' }],
] as const)('prepares %s, unsigned, with its time', (method, fields) => {
  expect(fieldsOf({ method })).toEqual({ ...common, ...fields })
  expect(prepare({ method })).toMatchObject({
    prepared: { paymentId, method, vendorTime: txnTime },
  })
})

test('unionpay checklist 25: a code to scan has sub-type 07 and the product 000000', () => {
  expect(fieldsOf({ method: 'qr' })).toEqual({
    ...common,
    txnSubType: '07',
    bizType: '000000',
    channelType: '08',
  })
})

test.each(['h5', 'jsapi', 'mini_program'] as const)('has no product for %s', (method) => {
  expect(prepare({ method })).toMatchObject({ kind: 'refused', message: expect.any(String) })
})

const idOf = (text: string): PaymentId => mint(text)

test.each([
  ['page', 'a1234567', true],
  ['page', 'A'.repeat(40), true],
  ['page', 'a123456', false],
  ['page', 'A'.repeat(41), false],
  ['page', 'a-1234567', false],
  ['page', 'a_1234567', false],
  ['page', '订单订单订单订单', false],
  ['qr', 'A'.repeat(32), true],
  ['qr', 'A'.repeat(33), false],
] as const)('unionpay checklist 19: the number of %s %p is taken: %p', (method, text, isGood) => {
  const { kind } = prepare({ method, paymentId: idOf(text) })
  expect(kind).toBe(isGood ? 'prepared' : 'refused')
})

describe('amounts', () => {
  test('unionpay checklist 20: 12.80 yuan goes out as 1280', () => {
    expect(fieldsOf({ amount: cny(1280n) })['txnAmt']).toBe('1280')
  })

  test.each([0n, -1n, 1_000_000_000_000n])('unionpay checklist 20: refuses %p fen', (minor) => {
    expect(prepare({ amount: cny(minor) }).kind).toBe('refused')
  })

  test.each(['', '0', '000', '-1', '1.5', '12.80', '+1', ' 1', '1 ', '0x1', '１', '1234567890123'])(
    'unionpay checklist 20: reads %j as no amount',
    (text) => {
      expect(parseFen(text)).toBeUndefined()
    },
  )

  test('unionpay checklist 20: every amount comes back as it went out', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 999_999_999_999n }), (minor) => {
        expect(parseFen(fieldsOf({ amount: cny(minor) })['txnAmt'])).toBe(minor)
      }),
      { numRuns: 100 },
    )
  })
})

describe('times', () => {
  test.each([
    ['2025-12-31T15:59:59.999Z', '20251231235959'],
    ['2025-12-31T16:00:00.000Z', '20260101000000'],
    ['2024-02-28T16:00:00.000Z', '20240229000000'],
  ])('unionpay checklist 21: %s is %s there', (moment, expected) => {
    const at = new Date(moment)
    const expiresAt = new Date(at.getTime() + 60_000)
    expect(fieldsOf({ expiresAt }, at)['txnTime']).toBe(expected)
  })

  test('unionpay checklist 21: the zone of the machine does not matter', async () => {
    const file = fileURLToPath(new URL('../../../channel/unionpay/wire.ts', import.meta.url))
    const code = `const { formatTxnTime } = await import(${JSON.stringify(file)})
      console.log(formatTxnTime(new Date('2026-03-14T20:15:30Z')))`
    const said = ['UTC', 'America/New_York', 'Pacific/Kiritimati'].map((TZ) =>
      Bun.spawnSync([process.execPath, '-e', code], {
        env: { ...process.env, TZ },
        cwd: fileURLToPath(new URL('../../../', import.meta.url)),
      }).stdout.toString(),
    )
    expect(said).toEqual(Array.from({ length: 3 }, () => '20260315041530\n'))
  })

  test.each([
    [59, 'refused'],
    [60, 'prepared'],
    [86_400, 'prepared'],
    [86_401, 'refused'],
  ] as const)('a deadline %d s away is %s', (seconds, kind) => {
    const expiresAt = new Date(now.getTime() + seconds * 1000)
    expect(prepare({ expiresAt }).kind).toBe(kind)
  })
})

test.each([
  'https://pay.example.com/callback/a?x=1',
  'https://pay.example.com/callback/a#x',
  'https://pay.example.com/~shop/a',
  'http://pay.example.com/callback/a',
  'https://localhost/callback/a',
  `https://pay.example.com/${'a'.repeat(240)}`,
])('unionpay checklist 32: an address of ours with more than a path is refused: %s', (url) => {
  expect(prepare({ callbackUrl: url }).kind).toBe('refused')
  expect(prepare({ returnUrl: url }).kind).toBe('refused')
  // Nobody comes back from a code or an app.
  expect(prepare({ method: 'qr', returnUrl: url }).kind).toBe('prepared')
})

test.each([
  ['a&respCode=00', '{commodityName=a respCode 00}'],
  ['} {x=1', '{commodityName=x 1}'],
  ['["tea"]', '{commodityName=tea}'],
  ['&={}[]', undefined],
  [' 茶 <b>', '{commodityName=茶 b}'],
  ['x'.repeat(99), `{commodityName=${'x'.repeat(60)}}`],
])('the subject %j divides no message: %p', (subject, expected) => {
  expect(fieldsOf({ subject })['riskRateInfo']).toBe(expected)
})
