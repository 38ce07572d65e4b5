import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { z } from 'zod'

import type { TestMerchant } from './merchant.ts'
import { APP, isVendorSigned, startTestMerchant } from './merchant.ts'

const NOON = new Date('2026-03-14T12:00:00+08:00')
const END = Date.parse('2026-03-15T00:00:00+08:00') / 1000

let now = NOON
let merchant: TestMerchant

// Four payments, a minute apart; the first three are paid, and the first has a refund.
beforeEach(async () => {
  now = NOON
  merchant = await startTestMerchant({ clock: () => now })
  for (const [at, number] of ['DAY1', 'DAY2', 'DAY3', 'DAY4'].entries()) {
    now = new Date(NOON.getTime() + at * 60_000)
    await merchant.create(number, { amount: 100 + at })
    if (at < 3) merchant.emulator.pay(number)
  }
  const charge = merchant.emulator.order('DAY1')
  const body = { amount: 7, description: '退款' }
  await merchant.call('POST', `/v1/charges/${charge?.id}/refunds`, { body })
  await merchant.emulator.idle()
})

afterEach(() => merchant.stop())

const listSchema = z.object({
  object: z.literal('list'),
  has_more: z.boolean(),
  data: z.array(
    z.object({
      id: z.string(),
      order_no: z.string(),
      amount: z.int(),
      refunds: z.object({ data: z.array(z.object({ id: z.string(), amount: z.int() })) }),
    }),
  ),
})

function ask(filter: Record<string, string>) {
  const query = { 'app[id]': APP, 'created[lt]': String(END), limit: '100', ...filter }
  return merchant.call('GET', `/v1/charges?${new URLSearchParams(query).toString()}`)
}

async function list(filter: Record<string, string> = { paid: 'true' }) {
  const answer = await ask(filter)
  expect(answer.status).toBe(200)
  const { data, has_more: hasMore } = listSchema.parse(answer.json)
  return {
    ids: data.map(({ id }) => id),
    shown: data.map(({ order_no: number, amount }) => `${number} ${amount}`),
    refunds: data.flatMap(({ refunds }) => refunds.data.map(({ amount }) => amount)),
    hasMore,
  }
}

describe('the lists of a day', () => {
  test('are what happened: all that was paid, and all that has a refund', async () => {
    expect(await list()).toMatchObject({ shown: ['DAY3 102', 'DAY2 101', 'DAY1 100'] })
    const refunded = await list({ refunded: 'true' })
    expect(refunded).toMatchObject({ shown: ['DAY1 100'], refunds: [7] })
  })

  test('hold what is planted, and the books and other lists do not', async () => {
    const [refund] = merchant.emulator.refunds('DAY1')
    merchant.emulator.setKnobs({
      billMissingLine: 'DAY2',
      billDuplicateLine: 'DAY3',
      billWrongAmount: { DAY1: 5, [refund?.id ?? '']: -2 },
      billExtraLine: { TILL7: 42 },
    })
    const planted = ['DAY3 102', 'DAY1 105', 'DAY3 102', 'TILL7 42']
    expect((await list()).shown).toEqual(planted)
    expect((await list({ refunded: 'true' })).refunds).toEqual([5])
    expect((await list({})).shown).toEqual(['DAY4 103', 'DAY3 102', 'DAY2 101', 'DAY1 100'])
    expect(merchant.emulator.order('TILL7')).toBeUndefined()
    const charge = merchant.emulator.order('DAY1')
    const alone = await merchant.call('GET', `/v1/charges/${charge?.id}`)
    expect(alone.json).toMatchObject({ amount: 100 })
  })

  test('page through a line that is there twice', async () => {
    merchant.emulator.setKnobs({ listPageMax: 2, billDuplicateLine: 'DAY3' })
    const page = await list()
    expect(page).toMatchObject({ shown: ['DAY3 102', 'DAY2 101'], hasMore: true })
    const next = await list({ paid: 'true', starting_after: page.ids.at(-1) ?? '' })
    expect(next).toMatchObject({ shown: ['DAY1 100', 'DAY3 102'], hasMore: false })
  })

  test('lack the newest payment in every second reading while they are late', async () => {
    merchant.emulator.setKnobs({ billLate: 2 })
    for (const isKnown of [false, true, false, true, true]) {
      expect((await list()).shown.includes('DAY3 102')).toBe(isKnown)
    }
  })

  test('come the other way round when they are issued again', async () => {
    merchant.emulator.setKnobs({ billReissued: 1 })
    for (let asked = 0; asked < 2; asked += 1) {
      expect((await list()).shown).toEqual(['DAY1 100', 'DAY2 101', 'DAY3 102'])
    }
  })

  test('are empty when nothing is to have happened', async () => {
    merchant.emulator.setKnobs({ billEmpty: true })
    expect((await list()).shown).toEqual([])
    expect((await list({ refunded: 'true' })).shown).toEqual([])
  })

  test('are cut in half, and signed like that', async () => {
    merchant.emulator.setKnobs({ billTruncated: 1 })
    const { text, headers, json } = await ask({ paid: 'true' })
    expect(json).toBeUndefined()
    expect(isVendorSigned(merchant.keys.vendor.publicKeyPem, headers, text)).toBe(true)
    expect((await list()).shown).toHaveLength(3)
  })

  test('change on their way, or come without end', async () => {
    const { publicKeyPem } = merchant.keys.vendor
    merchant.emulator.setKnobs({ billCorrupt: 1 })
    const corrupt = await ask({ paid: 'true' })
    expect(isVendorSigned(publicKeyPem, corrupt.headers, corrupt.text)).toBe(false)
    merchant.emulator.setKnobs({ billBomb: 1 })
    expect((await ask({ paid: 'true' })).text).toHaveLength(64 * 1024 * 1024)
  })

  test('break behind the first page', async () => {
    merchant.emulator.setKnobs({ listPageMax: 1, billBreaks: 1 })
    const { ids } = await list()
    const next = { paid: 'true', starting_after: ids[0] ?? '' }
    expect((await ask(next)).status).toBe(500)
    expect((await ask(next)).status).toBe(200)
  })

  test('begin again without end', async () => {
    merchant.emulator.setKnobs({ billCursorLoop: true })
    const page = await list()
    const next = await list({ paid: 'true', starting_after: page.ids.at(-1) ?? '' })
    expect(next).toEqual(page)
    expect(next.hasMore).toBe(true)
  })
})
