import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { reasonOf } from '../support.ts'
import { buildChannel, formOf, noticeOf, read, signedBy } from './support.ts'

const signed = signedBy(noticeOf({ reserved: '{a=1&b=2}' }))
const body = formOf(signed)
const built = buildChannel()

describe('the bytes of a notice', () => {
  test('unionpay checklist 13: any changed value is refused', async () => {
    const change = fc.tuple(
      fc.constantFrom(...Object.keys(signed)),
      fc.nat(2000),
      fc.integer({ min: 1, max: 127 }),
    )
    await fc.assert(
      fc.asyncProperty(change, async ([name, place, mask]) => {
        const bytes = Buffer.from(signed[name] ?? '')
        const at = place % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ mask
        const escaped = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`)
        const parts = body
          .split('&')
          .map((part) => (part.startsWith(`${name}=`) ? `${name}=${escaped.join('')}` : part))
        expect(reasonOf(await read(parts.join('&'), built))).not.toBe('verified')
      }),
      { numRuns: 300 },
    )
  })

  test('a field gone or renamed is refused', async () => {
    for (const name of Object.keys(signed)) {
      const { [name]: value = '', ...others } = signed
      expect(reasonOf(await read(formOf(others), built))).not.toBe('verified')
      expect(reasonOf(await read(formOf({ ...others, [`${name}x`]: value }), built))).not.toBe(
        'verified',
      )
    }
  })

  test('order, escapes and empty fields are not part of the message', async () => {
    const good = await read(body, built)
    const every = Object.entries(signed).map(
      ([name, value]) =>
        `${name}=${Array.from(Buffer.from(value), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`,
    )
    const same = fc
      .shuffledSubarray(every, { minLength: every.length })
      .map((parts) => ['', ...parts, 'reqReserved=', 'orderDesc=%20'].join('&'))
    await fc.assert(
      fc.asyncProperty(same, async (text) => {
        expect(await read(text, built)).toEqual(good)
      }),
      { numRuns: 30 },
    )
  })

  test('another charset’s name over the same bytes is refused', async () => {
    for (const encoding of ['utf-8', 'GBK', 'gbk', 'ISO-8859-1']) {
      expect(reasonOf(await read(formOf({ ...signed, encoding }), built))).not.toBe('verified')
    }
  })

  test('random bytes never throw', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        expect(reasonOf(await read(bytes, built))).not.toBe('verified')
        expect(
          reasonOf(await read(Buffer.concat([Buffer.from(`${body}&`), bytes]), built)),
        ).toMatch(/./)
      }),
      { numRuns: 200 },
    )
  })
})
