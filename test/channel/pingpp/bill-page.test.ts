import { describe, expect, test } from 'bun:test'
import {
  fetchBill,
  listing,
  paidAt,
  readFile,
  refundAt,
  second,
  targetsOf,
  vendorId,
  withRefunds,
} from './bill-support.ts'
import type { Lists } from './bill-support.ts'
import { app, strangerPem } from './support.ts'
import { listOf, refusal, signed } from './vendor.ts'
import type { Heard, Reply } from './vendor.ts'

const FROM = second('2026-03-14T00:00:00')
const UNTIL = second('2026-03-15T00:00:00')
const DAY = 86_400

const NOON = '2026-03-14T12:00:00'
const first = paidAt(1, NOON)
const other = paidAt(2, '2026-03-14T13:00:00')
const third = paidAt(3, '2026-03-14T14:00:00')
const returned = withRefunds(first, [refundAt(1, '2026-03-14T15:00:00')])

const lists: Lists = { paid: [[third, other], [first]], refunded: [[returned]] }
const vendor: Reply = listing(lists)

const query = (before: number, filter: string, after = '') =>
  `/v1/charges?app%5Bid%5D=${app}&created%5Bgte%5D=${FROM - before * DAY}` +
  `&created%5Blt%5D=${UNTIL}&${filter}=true&limit=100${after}`

describe('a page that fails in passing', () => {
  const bad: Reply = () => new Response('<html>', { status: 502 })
  /** The second page fails so many times, in this way. */
  const failing = (times: number, how: Reply): Reply => {
    let left = times
    return (heard) =>
      heard.target.includes('starting_after') && left-- > 0 ? how(heard) : vendor(heard)
  }

  test.each([
    ['pingpp checklist 36: a 502', bad],
    ['a 500', () => refusal(500, { type: 'api_error' })],
    ['a 429', () => refusal(429)],
  ] satisfies [string, Reply][])(
    '%s: is asked for again, later and later, and no other page is',
    async (_name, how) => {
      const { outcome, raw, pauses, vendor: heardBy } = await fetchBill([failing(3, how)])
      expect(outcome.kind).toBe('fetched')
      expect(pauses).toEqual([1000, 5000, 15_000])
      expect(await readFile(raw)).toHaveLength(4)
      const [paid, next] = [query(16, 'paid'), query(16, 'paid', `&starting_after=${vendorId(2)}`)]
      const refunded = query(400, 'refunded')
      expect(targetsOf(heardBy.heard)).toEqual([
        ...[paid, next, next, next, next, refunded],
        ...[paid, next, refunded],
      ])
      expect(new Set(heardBy.heard.map(({ method }) => method))).toEqual(new Set(['GET']))
    },
  )

  test('four times is given up, and the whole reading with it', async () => {
    const { outcome, pauses, raw } = await fetchBill([failing(4, bad)])
    expect(outcome).toEqual({ kind: 'unknown', cause: 'status 502' })
    expect(pauses).toHaveLength(3)
    expect(Buffer.from(raw).toString()).not.toContain('\nend ')
  })

  test('and each of its neighbours too: 30 repeats are enough for a whole fetch', async () => {
    let asked = 0
    const page = (heard: Heard) => Number(/starting_after=ch_(\d+)/.exec(heard.target)?.[1] ?? 0)
    const stumbling: Reply = (heard) => {
      asked += 1
      if (asked % 2 === 1) return bad(heard)
      return signed(200, listOf([paidAt(page(heard) + 1, NOON)], true))
    }
    const { outcome, pauses } = await fetchBill([stumbling])
    expect(outcome.kind).toBe('unknown')
    expect(pauses).toHaveLength(30)
    expect(asked).toBe(61)
  })

  test.each([
    ['without a signature', () => Response.json(listOf([first]))],
    ['of a stranger', () => signed(200, listOf([first]), strangerPem)],
    ['that is no list', () => signed(200, '<html>')],
    ['that is refused', () => refusal(400, { param: 'limit' })],
  ] satisfies [string, Reply][])('is not one %s', async (_name, how) => {
    const { outcome, pauses } = await fetchBill([failing(1, how)])
    expect(outcome.kind).not.toBe('fetched')
    expect(pauses).toEqual([])
  })
})
