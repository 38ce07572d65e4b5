import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'

import type { TestMerchant } from './merchant.ts'
import { APP, startTestMerchant } from './merchant.ts'

const START = new Date('2026-03-14T00:00:00+08:00')
const START_SECONDS = START.getTime() / 1000
const NUMBERS = Array.from({ length: 25 }, (_, at) => `LIST${String(at).padStart(4, '0')}`)

let now = START
let merchant: TestMerchant

// 25 payments, a minute apart; the first twelve by WeChat Pay, and every fifth is paid.
beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => now })
  for (const [at, number] of NUMBERS.entries()) {
    now = new Date(START.getTime() + at * 60_000)
    await merchant.create(number, at < 12 ? { channel: 'wx' } : {})
    if (at % 5 === 0) merchant.emulator.pay(number)
  }
  await merchant.emulator.idle()
})

afterAll(async () => {
  await merchant.stop()
})

const listSchema = z.object({
  object: z.literal('list'),
  url: z.literal('/v1/charges'),
  has_more: z.boolean(),
  data: z.array(z.object({ id: z.string(), order_no: z.string() })),
})

async function list(query: Record<string, string>) {
  const target = `/v1/charges?${new URLSearchParams({ 'app[id]': APP, ...query }).toString()}`
  const answer = await merchant.call('GET', target)
  expect(answer.status).toBe(200)
  const { data, has_more: hasMore } = listSchema.parse(answer.json)
  return { numbers: data.map((item) => item.order_no), ids: data.map(({ id }) => id), hasMore }
}

describe('the list', () => {
  test('is newest first, ten long unless asked otherwise', async () => {
    const { numbers, hasMore } = await list({})
    expect(numbers).toEqual(NUMBERS.toReversed().slice(0, 10))
    expect(hasMore).toBe(true)
  })

  test('gives every payment once when paged to the end', async () => {
    const seen: string[] = []
    let page = await list({ limit: '10' })
    seen.push(...page.numbers)
    while (page.hasMore) {
      page = await list({ limit: '10', starting_after: page.ids.at(-1) ?? '' })
      seen.push(...page.numbers)
    }
    expect(seen).toEqual(NUMBERS.toReversed())
  })

  test('goes back with ending_before', async () => {
    const { ids } = await list({ limit: '10' })
    const back = await list({ limit: '3', ending_before: ids.at(-1) ?? '' })
    expect(back.ids).toEqual(ids.slice(6, 9))
    expect(back.hasMore).toBe(true)
    const first = await list({ ending_before: ids[2] ?? '' })
    expect(first).toMatchObject({ ids: ids.slice(0, 2), hasMore: false })
  })

  test('takes the bounds of the creation as they are written', async () => {
    const [from, to] = [START_SECONDS + 60, START_SECONDS + 180]
    const withBounds = async (low: 'gt' | 'gte', high: 'lt' | 'lte'): Promise<string[]> =>
      (await list({ [`created[${low}]`]: `${from}`, [`created[${high}]`]: `${to}` })).numbers
    expect(await withBounds('gte', 'lt')).toEqual(NUMBERS.slice(1, 3).toReversed())
    expect(await withBounds('gt', 'lte')).toEqual(NUMBERS.slice(2, 4).toReversed())
  })

  test('filters by what was paid and by channel', async () => {
    const paid = await list({ paid: 'true', limit: '100' })
    expect(paid.numbers).toEqual(NUMBERS.filter((_, at) => at % 5 === 0).toReversed())
    const wechat = await list({ channel: 'wx', paid: 'false', limit: '100' })
    expect(wechat.numbers.length).toBe(9)
    expect((await list({ refunded: 'true' })).numbers).toEqual([])
    expect((await list({ reversed: 'true' })).numbers).toEqual([])
  })

  test('has nothing of the other mode', async () => {
    const apiKey = merchant.keys.merchant.testKey
    const target = `/v1/charges?app%5Bid%5D=${APP}`
    const { json } = await merchant.call('GET', target, { apiKey })
    expect(json).toMatchObject({ has_more: false, data: [] })
  })

  test.each([
    ['app[id]', 'limit=1', 400],
    ['app[id]', 'app%5Bid%5D=app_other', 400],
    ['limit', `app%5Bid%5D=${APP}&limit=0`, 400],
    ['limit', `app%5Bid%5D=${APP}&limit=101`, 400],
    ['created[gte]', `app%5Bid%5D=${APP}&created%5Bgte%5D=yesterday`, 400],
    ['paid', `app%5Bid%5D=${APP}&paid=1`, 400],
    ['order_no', `app%5Bid%5D=${APP}&order_no=LIST0001`, 400],
    ['starting_after', `app%5Bid%5D=${APP}&starting_after=ch_nothing`, 404],
  ])('names %s when it is wrong: %s', async (param, query, expected) => {
    const { status, json } = await merchant.call('GET', `/v1/charges?${query}`)
    expect(status).toBe(expected)
    expect(json).toMatchObject({ error: { type: 'invalid_request_error', param } })
  })
})

test('the summary of a day counts what was paid on it in China', async () => {
  const { done } = merchant.emulator.sendDailySummary({ app: APP, day: '2026-03-14' })
  await done
  expect(merchant.received.at(-1)).toMatchObject({
    isGenuine: true,
    event: {
      type: 'summary.daily.available',
      data: {
        object: {
          object: 'app_daily_summary',
          summary_from: START_SECONDS,
          summary_to: START_SECONDS + 86_399,
          charges_amount: 5 * 12_800,
          charges_count: 5,
        },
      },
    },
  })
  await merchant.emulator.sendDailySummary({ app: APP, day: '2026-03-13' }).done
  expect(merchant.received.at(-1)?.event).toMatchObject({
    data: { object: { charges_amount: 0, charges_count: 0 } },
  })
})
