import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { readInvariants } from '#db/metrics'
import { newCaseId, newNotificationId } from '#domain/id'
import { keepFigures } from '#gateway/console/kept-figures'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { findForgottenNotifications } from '../support/invariant.ts'
import { createShop } from '../support/shop.ts'
import { keepLog } from './logged.ts'

const TIMEOUT_MS = 40_000
const MINUTE_MS = 60_000

let database: TestDatabase
let platform: Platform

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

describe('promises that are broken', () => {
  const counted = async (): Promise<Readonly<Record<string, number>>> =>
    Object.fromEntries(
      (await readInvariants(platform.db)).map(({ label, value }) => [label, value]),
    )

  /** A genuine notification that was put aside. */
  async function putAside(payment: string): Promise<string> {
    const id = newNotificationId()
    await platform.db
      .insertInto('notification')
      .values({
        merchant_id: platform.merchantId,
        id,
        channel_account_id: platform.accountId,
        event_key: id,
        facts: '{}',
        facts_digest: 'x'.repeat(64),
        payment_number: payment,
        key_serial: 'serial',
        headers: '{}',
        body: Buffer.from('{}'),
        state: 'quarantined',
        quarantine_reason: 'amount_differs',
        due_at: null,
      })
      .execute()
    return id
  }

  const openCase = (kind: string, subject: string): Promise<unknown> =>
    sql`INSERT INTO open_case (merchant_id, id, kind, subject, evidence, state)
        VALUES (${platform.merchantId}, ${newCaseId()}, ${kind}, ${subject}, '{}', 'open')`.execute(
      platform.db,
    )

  test('a notification put aside needs a case of its own, not one about other trouble of its payment', async () => {
    const { id } = await createShop(platform).buy()
    await putAside(id)
    await openCase('points_dead', id)
    expect(await counted()).toMatchObject({ quarantined_without_case: 1 })
    expect(await findForgottenNotifications(platform.db)).toHaveLength(1)
    await openCase('amount_differs', id)
    expect(await counted()).toMatchObject({ quarantined_without_case: 0 })
    expect(await findForgottenNotifications(platform.db)).toEqual([])
  })

  test('a paid order without its grant is counted', async () => {
    const { id } = await createShop(platform).buy()
    expect(await counted()).toMatchObject({ paid_without_grant: 0 })
    await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(),
              channel_payment_id = 'ungranted' WHERE id = ${id}`.execute(platform.db)
    await sql`UPDATE customer_order o SET state = 'paid', paid_payment_id = p.id FROM payment p
              WHERE p.id = ${id} AND o.merchant_id = p.merchant_id AND o.id = p.order_id`.execute(
      platform.db,
    )
    expect(await counted()).toMatchObject({ paid_without_grant: 1 })
  })
})

describe('figures that are kept', () => {
  /** Counts how often they are read; the clock moves when it is told to. */
  function open(read: (reads: number) => number) {
    const state = { reads: 0, minutes: 0 }
    const { log, warned } = keepLog()
    const ask = keepFigures(
      async () => {
        state.reads += 1
        return [{ name: 'broken', label: '', value: read(state.reads) }]
      },
      () => state.minutes * MINUTE_MS,
      { log },
    )
    const values = async () =>
      Object.fromEntries((await ask()).map(({ name, value }) => [name, value]))
    return { state, values, warned }
  }

  test('are read once an hour, however often they are asked for, and say how old they are', async () => {
    const { state, values } = open((reads) => reads * 10)
    expect(await values()).toEqual({ broken: 10, invariants_age_seconds: 0 })
    state.minutes = 59
    expect(await values()).toEqual({ broken: 10, invariants_age_seconds: 3540 })
    state.minutes = 60
    expect(await values()).toEqual({ broken: 20, invariants_age_seconds: 0 })
    expect(state.reads).toBe(2)
  })

  test('stand with their age when they cannot be read, which is not tried again at once', async () => {
    const { state, values, warned } = open((reads) => {
      if (reads === 2) throw new Error('canceling statement due to statement timeout')
      return reads
    })
    await values()
    state.minutes = 60
    expect(await values()).toEqual({ broken: 1, invariants_age_seconds: 3600 })
    state.minutes = 119
    expect(await values()).toEqual({ broken: 1, invariants_age_seconds: 7140 })
    expect({ reads: state.reads, warned: warned().length }).toEqual({ reads: 2, warned: 1 })
    state.minutes = 120
    expect(await values()).toEqual({ broken: 3, invariants_age_seconds: 0 })
  })

  test('are left out before they could be read for the first time', async () => {
    const { values } = open(() => {
      throw new Error('away')
    })
    expect(await values()).toEqual({})
  })
})
