import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { contentOf, reasonOf } from '../support.ts'
import {
  buildChannel,
  fixtureHeaders,
  notifiedAt,
  payment,
  read,
  readPayment,
  vendorHeaders,
} from './support.ts'

describe('raw bytes', () => {
  test('CB-17: key order, blanks, escapes, a last newline and UTF-8 are bytes like any other', async () => {
    const parsed: unknown = JSON.parse(payment.body)
    const bodies = [
      payment.body,
      JSON.stringify(parsed, undefined, 2),
      `${payment.body}\n`,
      payment.body.replaceAll('/', String.raw`\/`),
      payment.body.replace('支付成功', String.raw`\u652f\u4ed8\u6210\u529f`),
    ]
    for (const body of bodies) {
      const fresh = await read(body, vendorHeaders(body))
      expect(fresh.kind).toBe('verified')
      expect(reasonOf(await readPayment({}, notifiedAt, body))).toBe(
        body === payment.body ? 'verified' : 'bad_signature',
      )
    }
  })

  test('wechatpay checklist 22: bytes that are no UTF-8 are verified before they are read', async () => {
    const body = Uint8Array.from([0x7b, 0xff, 0xfe, 0x7d])
    expect(contentOf(await read(body)).facts.kind).toBe('unreadable')
    const forged = { ...vendorHeaders(body), 'wechatpay-signature': payment.signature }
    expect(reasonOf(await read(body, forged))).toBe('bad_signature')
  })

  test('refuses a callback with any one byte changed', async () => {
    const built = buildChannel()
    const bytes = Buffer.from(payment.body)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const changed = Uint8Array.from(bytes)
          changed[at] = (changed[at] ?? 0) ^ change
          const reading = await read(changed, fixtureHeaders(payment), built)
          expect(reasonOf(reading)).toBe('bad_signature')
        },
      ),
      { numRuns: 200 },
    )
  })
})
