import { describe, expect, test } from 'bun:test'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { atSecond, publicOf } from '../support.ts'
import {
  NEXT_DAY,
  billOf,
  businessDate,
  vendorId,
  fetchBill,
  listing,
  paidAt,
  readFile,
  refundAt,
  second,
  targetsOf,
  withRefunds,
} from './bill-support.ts'
import type { Lists } from './bill-support.ts'
import { app, liveSecret, merchantPem, strangerPem, vendorPem } from './support.ts'
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

/** The vendor's answer to everything but the paid list. */
const onPaid =
  (reply: Reply): Reply =>
  (heard) =>
    heard.target.includes('paid=true') ? reply(heard) : vendor(heard)

function isSigned({ target, headers }: Heard): boolean {
  const message = `${target}${headers['pingplusplus-request-timestamp']}`
  const signature = Buffer.from(headers['pingplusplus-signature'] ?? '', 'base64')
  const key = createPublicKey(publicOf(merchantPem))
  return verify('sha256', Buffer.from(message), key, signature)
}

const query = (before: number, filter: string, after = '') =>
  `/v1/charges?app%5Bid%5D=${app}&created%5Bgte%5D=${FROM - before * DAY}` +
  `&created%5Blt%5D=${UNTIL}&${filter}=true&limit=100${after}`

describe('a day is fetched', () => {
  test('pingpp checklist 37: pages are asked for until there are no more, a hundred at a time, twice', async () => {
    const { outcome, vendor: heardBy } = await fetchBill([vendor])
    expect(outcome.kind).toBe('fetched')
    const once = [
      query(16, 'paid'),
      query(16, 'paid', `&starting_after=${vendorId(2)}`),
      query(400, 'refunded'),
    ]
    expect(targetsOf(heardBy.heard)).toEqual([...once, ...once])
    expect(heardBy.exchanges.map(({ kind }) => kind)).toEqual(Array(6).fill('bill'))
    expect(heardBy.heard.map(isSigned)).toEqual(Array(6).fill(true))
    for (const { headers, method, body } of heardBy.heard) {
      const basic = `Basic ${Buffer.from(`${liveSecret}:`).toString('base64')}`
      expect([method, body, headers['authorization']]).toEqual(['GET', '', basic])
    }
  })

  test('pingpp checklist 38: by payment in China, whatever the day of the creation', async () => {
    const days = [
      paidAt(1, '2026-03-13T23:59:59'),
      paidAt(2, '2026-03-14T00:00:00', { created: second('2026-03-13T23:58:00') }),
      paidAt(3, NOON, { created: second('2026-02-27T12:00:00') }),
      paidAt(4, '2026-03-14T23:59:59'),
      paidAt(5, '2026-03-15T00:00:00', { created: second('2026-03-14T23:59:59') }),
    ]
    const { outcome, raw } = await fetchBill([listing({ paid: [days] })])
    expect(outcome.kind).toBe('fetched')
    const lines = await readFile(raw)
    expect(lines.map(({ channelPaymentId }) => channelPaymentId)).toEqual([2, 3, 4].map(vendorId))
    expect(lines.map(({ at }) => at)).toEqual([
      '2026-03-14T00:00:00+08:00',
      '2026-03-14T12:00:00+08:00',
      '2026-03-14T23:59:59+08:00',
    ])
  })

  test('is kept as it was said, with the signature over it, and the sums of the second reading', async () => {
    const { raw } = await fetchBill([vendor])
    const text = Buffer.from(raw).toString()
    const [head, ...rest] = text.split('\n')
    expect(head).toBe(`pingpp-lists 1 ${app} live ${businessDate}`)
    const pages = rest.filter((line) => line.startsWith('page '))
    expect(pages.map((line) => line.split(' ')[1])).toEqual(['paid', 'paid', 'refunded'])
    for (const line of pages) {
      const [, , bytes = '', signature = ''] = line.split(' ')
      const body = rest[rest.indexOf(line) + 1] ?? ''
      expect(Buffer.byteLength(body)).toBe(Number(bytes))
      const key = createPublicKey(publicOf(vendorPem))
      expect(verify('sha256', Buffer.from(body), key, Buffer.from(signature, 'base64'))).toBe(true)
    }
    const before = text.slice(0, text.lastIndexOf('end '))
    const sha256 = createHash('sha256').update(before).digest('hex')
    expect(rest.at(-2)).toBe(`end 3 306 1 11 0 0 ${sha256}`)
  })

  test('without the pages that have nothing of the day', async () => {
    const old = [paidAt(8, '2026-03-12T12:00:00')]
    const { raw, vendor: heardBy } = await fetchBill([listing({ paid: [[first], old] })])
    expect(heardBy.heard).toHaveLength(6)
    expect(
      Buffer.from(raw)
        .toString()
        .match(/^page /gm),
    ).toHaveLength(1)
    expect(await readFile(raw)).toHaveLength(1)
  })

  test('and the log has addresses and sizes, and no customer', async () => {
    const { vendor: heardBy } = await fetchBill([vendor])
    for (const { responseBody, url } of heardBy.exchanges) {
      expect(responseBody).toMatch(/^\d+ bytes$/)
      expect(url).toContain('/v1/charges')
    }
  })
})

describe('refunds', () => {
  const sold = (refunds: unknown) => ({ ...first, refunded: true, refunds })
  const many = Array.from({ length: 3 }, (_, at) => refundAt(at + 1, '2026-03-14T16:00:00'))

  test.each([
    ['more than the payment shows', { object: 'list', url: '', has_more: true, data: [many[0]] }],
    ['a payment that shows none', null],
  ])('%s are listed by themselves, page by page', async (_name, refunds) => {
    const refundPages = { [vendorId(1)]: [many.slice(0, 2), many.slice(2)] }
    const reply = listing({ paid: [], refunded: [[sold(refunds)]], refunds: refundPages })
    const { outcome, raw, vendor: heardBy } = await fetchBill([reply])
    expect(outcome.kind).toBe('fetched')
    const path = `/v1/charges/${vendorId(1)}/refunds?limit=100`
    expect(targetsOf(heardBy.heard).slice(2, 4)).toEqual([
      path,
      `${path}&starting_after=${many[1]?.id}`,
    ])
    const lines = await readFile(raw)
    expect(lines.map(({ channelRefundId }) => channelRefundId)).toEqual(many.map(({ id }) => id))
  })

  test('of a payment of last year are found', async () => {
    const old = paidAt(1, '2025-03-20T12:00:00')
    const reply = listing({ refunded: [[withRefunds(old, [refundAt(1, NOON)])]] })
    const { raw } = await fetchBill([reply])
    expect(await readFile(raw)).toMatchObject([{ kind: 'refund', amountMinor: 11n }])
    expect(FROM - 400 * DAY).toBeLessThan(second('2025-03-20T12:00:00'))
  })
})

describe('the hour', () => {
  test('of a day that has just ended is too early, without asking', async () => {
    const at = atSecond(second('2026-03-15T03:59:59'))
    const { outcome, vendor: heardBy } = await fetchBill([vendor], { at })
    expect(outcome).toEqual({ kind: 'not_ready', code: 'BEFORE_FOUR' })
    expect(heardBy.heard).toEqual([])
    expect(billOf()).toMatchObject({ dayEndHour: 24, availableAtMinute: 245 })
  })

  test.each(['2026-03-15', '2026-03-16'])('of %s never comes, as it is not over', async (date) => {
    const { outcome, vendor: heardBy } = await fetchBill([vendor], { date })
    expect(outcome).toMatchObject({ kind: 'refused', code: 'BILL_DATE' })
    expect(heardBy.heard).toEqual([])
  })

  test('funds have no bill', async () => {
    const { outcome } = await fetchBill([vendor], { kind: 'fund' })
    expect(outcome).toMatchObject({ kind: 'refused', code: 'BILL_KIND' })
    expect(billOf().kinds).toEqual(['transaction'])
  })

  test('a day on which nothing was listed is empty', async () => {
    const { outcome } = await fetchBill([listing({ paid: [[paidAt(1, '2026-03-13T10:00:00')]] })])
    expect(outcome).toEqual({ kind: 'empty', code: 'NOTHING_LISTED' })
  })
})

describe('a day that cannot be read whole is never a bill', () => {
  test('two readings that differ are not ready, and neither is believed', async () => {
    let walks = 0
    const late = [third, other, first]
    const growing: Reply = (heard) => {
      if (heard.target.includes('paid=true')) walks += 1
      return listing({ paid: [walks < 2 ? late.slice(1) : late] })(heard)
    }
    const { outcome } = await fetchBill([growing])
    expect(outcome).toEqual({ kind: 'not_ready', code: 'LISTS_CHANGED' })
    const changed = [paidAt(3, NOON, { amount: 104 }), other, first]
    walks = 0
    const moving: Reply = (heard) => {
      if (heard.target.includes('paid=true')) walks += 1
      return listing({ paid: [walks < 2 ? late : changed] })(heard)
    }
    expect((await fetchBill([moving])).outcome.kind).toBe('not_ready')
  })

  test.each([
    ['500', () => refusal(500, { type: 'api_error' })],
    ['403, the limit of a plan', () => refusal(403)],
    ['429', () => refusal(429)],
    ['402, trouble at a wallet', () => refusal(402, { type: 'channel_error' })],
    ['400 about its own cursor', () => refusal(400, { param: 'starting_after' })],
    ['404 about its own cursor', () => refusal(404, { param: 'starting_after' })],
    ['200 of a proxy', () => signed(200, '<html>')],
    ['a page without a signature', () => Response.json(listOf([first]))],
    ['a page of a stranger', () => signed(200, listOf([first]), strangerPem)],
    ['a page cut in the middle', () => signed(200, JSON.stringify(listOf([first])).slice(0, 400))],
    ['more behind nothing', () => signed(200, listOf([], true))],
    ['no list', () => signed(200, { ...listOf([first]), object: 'charge' })],
    ['another app', () => signed(200, listOf([{ ...first, app: 'app_other' }]))],
    ['test money', () => signed(200, listOf([{ ...first, livemode: false }]))],
    ['an amount that is text', () => signed(200, listOf([{ ...first, amount: '101' }]))],
    ['an amount with a fraction', () => signed(200, listOf([{ ...first, amount: 1.5 }]))],
    ['a word that nobody knows', () => signed(200, listOf([{ ...first, paid: 'perhaps' }]))],
    ['no number', () => signed(200, listOf([{ ...first, order_no: null }]))],
    ['101 at once', () => signed(200, listOf(Array.from({ length: 101 }, () => first)))],
  ] satisfies [string, Reply][])('%s in the middle', async (_name, reply) => {
    const { outcome, raw } = await fetchBill([onPaid(vendor), onPaid(reply)])
    expect(outcome.kind).toBe('unknown')
    expect(Buffer.from(raw).toString()).not.toContain('\nend ')
  })

  test.each([
    [401, {}],
    [400, { param: 'limit' }],
    [404, { param: 'app[id]' }],
  ] as const)('%p about %p is definite', async (status, error) => {
    const { outcome } = await fetchBill([() => refusal(status, error)])
    expect(outcome).toMatchObject({ kind: 'refused', code: 'invalid_request_error' })
  })

  test('a list that stands still', async () => {
    const stuck: Reply = () => signed(200, listOf([first], true))
    const { outcome, vendor: heardBy } = await fetchBill([stuck])
    expect(outcome).toMatchObject({ kind: 'unknown' })
    expect(heardBy.heard).toHaveLength(2)
  })

  test('a list that goes round', async () => {
    const pages = [first, other, third].map((item) => listOf([item], true))
    const round = Array.from(
      { length: 9 },
      (_, at): Reply =>
        () =>
          signed(200, pages[at % 3]),
    )
    const { outcome, vendor: heardBy } = await fetchBill(round)
    expect(JSON.stringify(outcome)).toContain('stands still')
    expect(heardBy.heard).toHaveLength(4)
  })

  test('a list without end', async () => {
    let page = 0
    const endless: Reply = () => Response.json(listOf([paidAt((page += 1), NOON)], true))
    const settings = { answer_signature: 'where_present' }
    const { outcome } = await fetchBill([endless], { settings })
    expect(outcome).toEqual({ kind: 'unknown', cause: 'the lists go on behind 5000 pages' })
    expect(page).toBe(5000)
  }, 60_000)

  test('no room for it', async () => {
    const { outcome: whole, raw } = await fetchBill([vendor])
    expect(whole.kind).toBe('fetched')
    for (const room of [10, 500, raw.length - 1]) {
      expect((await fetchBill([vendor], { room })).outcome.kind).toBe('unknown')
    }
  })
})

test('a day of a month ago can still be fetched: the lists say when, not whether, they were asked', async () => {
  const at = atSecond(NEXT_DAY + 30 * DAY)
  const late = await fetchBill([vendor], { at })
  expect(late.outcome.kind).toBe('fetched')
  expect(targetsOf(late.vendor.heard)[0]).toBe(query(16, 'paid'))
})
