import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { BillBroken } from '#channel/bill'
import { brokenBy, cutAt } from '../bill-file.ts'
import {
  fetchBill,
  listing,
  paidAt,
  rawOf,
  readFile,
  readInPieces,
  refundAt,
  withRefunds,
} from './bill-support.ts'
import type { RawParts } from './bill-support.ts'
import { app, buildChannel, testChannel } from './support.ts'
import { listOf } from './vendor.ts'

const NOON = '2026-03-14T12:00:00'
const first = withRefunds(paidAt(1, NOON), [refundAt(1, NOON)])
const page = (...items: readonly unknown[]): string => JSON.stringify(listOf(items))

const paid = ['paid', page(first)] as const
const refunded = ['refunded', page(first)] as const
const sound: RawParts = { pages: [paid, refunded], figures: '1 101 1 11 0 0' }
const raw = rawOf(sound)
const text = raw.toString()

const reasonOf = async (changes: Partial<RawParts>): Promise<string> =>
  (await brokenBy(readFile(rawOf({ ...sound, ...changes })))).message

test('the day from which the others differ is sound', async () => {
  expect((await readFile(raw)).map(({ kind }) => kind)).toEqual(['payment', 'refund'])
})

describe('F111, F112: a raw day is refused whole', () => {
  test.each([
    ['1 102 1 11 0 0', 'add up'],
    ['2 101 1 11 0 0', 'add up'],
    ['1 101 1 10 0 0', 'add up'],
    ['1 101 0 0 0 0', 'add up'],
    ['', 'add up'],
  ])('with the figures %p', async (figures, word) => {
    expect(await reasonOf({ figures })).toContain(word)
  })

  test.each([
    ['a page is missing', { pages: [paid] }, 'add up'],
    ['a page is of no list', { pages: [paid, ['funds', page(first)]] }, 'expected a page'],
    ['a body is no list', { pages: [paid, ['refunded', '{}']] }, 'page 2: expected a list'],
    ['a body is no JSON', { pages: [paid, ['refunded', '{']] }, 'page 2: expected a list'],
    ['a payment is none', { pages: [['paid', page({ id: 'a', created: 1 })]] }, 'charge object'],
    ['a body names too many bytes', { pages: [['paid', ' '.repeat(1_048_577)]] }, 'at most'],
    ['another app', { head: 'pingpp-lists 1 app_other live 2026-03-14' }, app],
    ['another mode', { head: `pingpp-lists 1 ${app} test 2026-03-14` }, 'live'],
    ['another day', { head: `pingpp-lists 1 ${app} live 2026-03-13` }, '2026-03-14'],
    ['another form', { head: `pingpp-lists 2 ${app} live 2026-03-14` }, 'pingpp-lists 1'],
  ] satisfies [string, Partial<RawParts>, string][])('when %s', async (_name, changes, word) => {
    expect(await reasonOf(changes)).toContain(word)
  })

  test('when it is of another account', async () => {
    const built = buildChannel({ settings: { app: 'app_other' } })
    await brokenBy(readFile(raw, { built }))
    await brokenBy(readFile(raw, { built: testChannel() }))
    await brokenBy(readFile(raw, { businessDate: '2026-03-15' }))
    await brokenBy(readFile(raw, { kind: 'fund' }))
  })

  test('when a page stands there twice', async () => {
    const twice = text.replace(/^page paid.*\n.*\n/m, (found) => found + found)
    const broken = await brokenBy(readFile(Buffer.from(twice)))
    expect(broken.message).toContain('twice')
  })

  test.each([
    ['more behind the end', `${text}x`],
    ['its end twice', text + text.slice(text.lastIndexOf('end '))],
    ['no end', text.slice(0, text.lastIndexOf('end '))],
    ['no line end at the end', text.slice(0, -1)],
    ['nothing', ''],
    ['a head alone', text.slice(0, text.indexOf('\n') + 1)],
    ['a body that is longer than it says', text.replace('}\n', '} \n')],
    ['a line without end', 'x'.repeat(70_000)],
    ['CRLF', text.replaceAll('\n', '\r\n')],
    ['a mark', `\uFEFF${text}`],
  ])('with %s', async (_name, changed) => {
    await brokenBy(readFile(Buffer.from(changed)))
  })

  test('cut anywhere', async () => {
    for (let length = 0; length < raw.length; length += 7) {
      await brokenBy(readFile(raw.subarray(0, length)))
    }
  })

  test('with one bit changed anywhere', async () => {
    for (let at = 0; at < raw.length; at += 5) {
      const changed = Uint8Array.from(raw).with(at, (raw[at] ?? 0) ^ 1)
      await brokenBy(readFile(changed))
    }
  })
})

describe('pieces', () => {
  const cuts = fc.array(fc.nat(raw.length), { maxLength: 12 })

  test('F113: wherever a day is cut, its rows are the same', async () => {
    const pages = [[paidAt(1, NOON), paidAt(2, NOON)], [first]]
    const { raw: fetched } = await fetchBill([listing({ paid: pages, refunded: [[first]] })])
    const whole = await readFile(fetched)
    expect(whole).toHaveLength(4)
    const places = fc.array(fc.nat(fetched.length), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(places, async (at) => {
        expect(await readInPieces(cutAt(fetched, at))).toEqual([...whole])
      }),
      { numRuns: 300 },
    )
  })

  test('F113: wherever an unsound day is cut, it is as unsound', async () => {
    const unsound = rawOf({ ...sound, figures: '1 102 1 11 0 0' })
    const { message } = await brokenBy(readFile(unsound))
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        expect((await brokenBy(readInPieces(cutAt(unsound, places)))).message).toBe(message)
      }),
    )
  })

  test('F113: days at random, written and read in pieces, are themselves', async () => {
    const fen = fc.integer({ min: 1, max: 2 ** 53 - 1 })
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
    const payments = fc.array(fc.record({ amount: fen, order_no: name }), { maxLength: 9 })
    await fc.assert(
      fc.asyncProperty(payments, fc.array(fc.nat(9999), { maxLength: 9 }), async (many, at) => {
        const items = many.map((changes, index) => paidAt(index, NOON, changes))
        const sum = many.reduce((total, { amount }) => total + BigInt(amount), 0n)
        const day = rawOf({
          pages: [['paid', page(...items)]],
          figures: `${many.length} ${sum} 0 0 0 0`,
        })
        const lines = await readInPieces(
          cutAt(
            day,
            at.map((place) => place % day.length),
          ),
        )
        expect(lines.map(({ paymentNumber }) => paymentNumber)).toEqual(
          many.map(({ order_no }) => order_no),
        )
        expect(lines.map(({ amountMinor }) => amountMinor)).toEqual(
          many.map(({ amount }) => BigInt(amount)),
        )
      }),
    )
  })

  test('bytes at random are refused, and never anything worse', async () => {
    const after = fc.uint8Array({ maxLength: 200 })
    const head = Buffer.from(text.slice(0, text.indexOf('\n') + 1))
    await fc.assert(
      fc.asyncProperty(after, fc.boolean(), async (bytes, hasHead) => {
        const broken = await brokenBy(readInPieces(hasHead ? [head, bytes] : [bytes]))
        expect(broken).toBeInstanceOf(BillBroken)
      }),
    )
  })
})
