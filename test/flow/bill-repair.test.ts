import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'

// What a machine repairs after a bill, and what it never does. The bill line is the trigger, a query is the proof.

const TIMEOUT_MS = 30_000
const HOUR = 3600

let database: TestDatabase
let scene: BillScene

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
}, TIMEOUT_MS)

afterEach(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

const dayCase = async (): Promise<readonly string[]> => {
  const { vendor_merchant_id: owner } = await scene.run()
  return scene.cases(`${owner} ${scene.businessDate}`)
}

const openDayCase = async (): Promise<boolean> => {
  const rows = await scene.db
    .selectFrom('open_case')
    .select('id')
    .where('kind', '=', 'discrepancies')
    .where('state', '=', 'open')
    .execute()
  return rows.length > 0
}

/** All that a bill must not move by itself. */
async function moneyRows(): Promise<string> {
  const { rows } = await sql<{ row: string }>`
    SELECT to_jsonb(p)::text AS row FROM payment p UNION ALL SELECT to_jsonb(r)::text FROM refund r
    UNION ALL SELECT to_jsonb(o)::text FROM customer_order o UNION ALL SELECT to_jsonb(g)::text FROM points_grant g
    ORDER BY 1`.execute(scene.db)
  return rows.map(({ row }) => row).join('\n')
}

describe('F118 a payment that only the vendor has', () => {
  test('is asked about; a vendor that does not answer is asked again, and not taken for a no', async () => {
    const unheard = await scene.payUnheard()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    scene.interceptWith(() => Promise.resolve(new Response('', { status: 502 })))
    await scene.repair()
    expect(await scene.found()).toEqual([`missing_here ${unheard} repairing`])
    scene.interceptWith(undefined)
    await scene.repair()
    expect(await scene.found()).toEqual([`missing_here ${unheard} resolved`])
    const { decision, decided_by: by } = await scene.findOnly()
    expect([decision, by]).toEqual(['repaired', 'machine'])
    const witnesses = await scene.db
      .selectFrom('state_change')
      .select('witness')
      .where('subject_id', '=', unheard)
      .where('to_state', '=', 'paid')
      .execute()
    expect(witnesses).toEqual([{ witness: 'query' }])
    expect(await openDayCase()).toBe(false)
    await scene.noViolations()
  })

  test('in a state that we do not know yet is asked about again', async () => {
    const unheard = await scene.payUnheard()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    scene.emulator.setKnobs({ unknownTradeState: 'SETTLING' })
    await scene.repair()
    expect(await scene.found()).toEqual([`missing_here ${unheard} repairing`])
    scene.emulator.resetKnobs()
    await scene.repair()
    expect(await scene.found()).toEqual([`missing_here ${unheard} resolved`])
  })

  test('and that the vendor denies when asked is for a person, with the day’s case', async () => {
    const open = await scene.buy()
    scene.emulator.setKnobs({ billExtraLine: { [open]: 1999 } })
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(await openDayCase()).toBe(false)
    await scene.repair()
    expect(await scene.found()).toEqual([`missing_here ${open} open`])
    expect(await openDayCase()).toBe(true)
    expect((await scene.findOnly()).reason).toContain('NOTPAY')
    expect((await scene.payment(open)).state).not.toBe('paid')
  })

  test('and that never answers for a day is for a person', async () => {
    await scene.payUnheard()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    scene.interceptWith(() => Promise.resolve(new Response('', { status: 502 })))
    scene.passToDay(2, 12)
    await scene.repair()
    expect((await scene.findOnly()).state).toBe('open')
    expect(await openDayCase()).toBe(true)
  })

  test('of an order that was closed meanwhile is late money, by the merchant’s policy', async () => {
    const id = await scene.buy()
    await sql`UPDATE customer_order SET close_wanted = true WHERE id = (SELECT order_id FROM payment WHERE id = ${id})`.execute(
      scene.db,
    )
    scene.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
    await scene.pay(id)
    scene.emulator.resetKnobs()
    await scene.db.updateTable('payment').set({ state: 'closed' }).where('id', '=', id).execute()
    await scene.db
      .updateTable('customer_order')
      .set({ state: 'closed' })
      .where('id', '=', (await scene.payment(id)).order_id)
      .execute()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(await scene.found()).toEqual([`state_differs ${id} repairing`])
    await scene.repair()
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', disposition: 'late' })
    expect(await scene.found()).toEqual([`state_differs ${id} resolved`])
  })
})

describe('F119 a payment that only we have', () => {
  test('is held for three days, asked about, and then a person’s: a vendor that confirms it has a wrong bill', async () => {
    const paid = await scene.buyPaid()
    // A bill without a line is not believed on a day with business.
    await scene.buyPaid()
    scene.emulator.setKnobs({ billMissingLine: paid })
    scene.passToDay(1, 11)
    await scene.fetchDay()
    for (const days of [1, 2]) {
      scene.passToDay(days + 1, 11)
      await scene.fetchDay(dateAfter(days))
      await scene.repair()
      expect(await scene.found()).toEqual([`missing_there ${paid} held`])
    }
    expect(await openDayCase()).toBe(false)
    scene.passToDay(4, 11)
    await scene.fetchDay(dateAfter(3))
    expect(await scene.found()).toEqual([`missing_there ${paid} repairing`])
    await scene.repair()
    expect(await scene.found()).toEqual([`missing_there ${paid} open`])
    expect((await scene.findOnly()).reason).toBe('the vendor was asked and says SUCCESS')
    expect(await dayCase()).toEqual(['discrepancies'])
    expect((await scene.payment(paid)).state).toBe('paid')
  })
})

const dateAfter = (days: number): string =>
  new Date(Date.parse(`${scene.businessDate}T00:00:00Z`) + days * 24 * HOUR * 1000)
    .toISOString()
    .slice(0, 10)

describe('RF-12, F120, money rule 10: a bill', () => {
  test('moves no money by itself, whatever it says', async () => {
    const paid = [await scene.buyPaid(), await scene.buyPaid(), await scene.buyPaid()]
    const [one, two, three] = paid
    if (one === undefined || two === undefined || three === undefined)
      throw new Error('three are sold')
    const refund = await scene.giveBack(one, 300)
    const waiting = await scene.askRefund(two, 200)
    scene.emulator.setKnobs({ refundResult: 'PROCESSING' })
    await runRefundSubmit(scene.deps, { merchantId: scene.merchantId, refundId: waiting })
    await scene.payUnheard()
    scene.emulator.setKnobs({
      billWrongAmount: { [refund]: 1, [three]: -1 },
      billDuplicateLine: one,
      billExtraLine: { 'TILL-7': 100 },
    })
    const before = await moneyRows()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(await moneyRows()).toBe(before)
    const kinds = (await scene.found()).map((text) => text.replace(/ .* /, ' '))
    // The refund that is still on its way is accepted, and its frozen state is no difference.
    expect(kinds).toEqual([
      'amount_differs open',
      'amount_differs open',
      'duplicate open',
      'foreign open',
      'missing_here repairing',
    ])
    await scene.repair()
    const after = (await scene.found()).map((text) => text.replace(/ .* /, ' '))
    expect(after.filter((text) => text === 'amount_differs open')).toHaveLength(2)
    expect((await scene.payment(three)).received_amount).toBeNull()
    expect((await scene.refund(refund)).state).toBe('succeeded')
    expect((await scene.refund(waiting)).state).toBe('accepted')
    await scene.noViolations()
  })
})
