import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { assert } from '#domain/assert'
import type { PaymentId } from '#domain/id'
import { buyAt, openCounter, orderAt, payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { TILLS } from '../support/till.ts'
import type { Till } from '../support/till.ts'
import { waitFor } from '../support/wait.ts'

// Two merchants, each with two accounts of the same vendor. Every account has keys and an address of its own.
// Of each merchant, one account is told of payments with the same key of the vendor: China UnionPay has one for
// all its merchants.

const TIMEOUT_MS = 60_000
/** Keys for twelve vendors are made first; a busy machine takes its time. */
const START_MS = 180_000
const MINOR = 1999n

/** Counters of one vendor by their place: two of the first merchant, then two of the second. */
const [SPEAKER, SAME_MERCHANT, OTHER_MERCHANT, OTHER_MERCHANT_SAME_KEY] = [0, 1, 2, 3] as const

let database: TestDatabase
let platform: Platform
const tills = new Map<string, readonly Till[]>()
const counters = new Map<string, readonly Counter[]>()

beforeAll(async () => {
  database = await cloneDatabase()
  for (const [name, open] of Object.entries(TILLS)) {
    const [[first], [second, fourth], [third]] = [
      await open([1]),
      await open([2, 4]),
      await open([3]),
    ]
    tills.set(
      name,
      [first, second, third, fourth].filter((till) => till !== undefined),
    )
  }
  const localHosts = [...tills.values()].flat().map(({ vendor }) => new URL(vendor.url).host)
  platform = await startPlatform({ databaseUrl: database.url, localHosts })
  const { db } = platform
  const other = await addMerchant(db, 'Another shop')
  const apiKey = (await createApiKey(db, other, 'test')).reveal()
  for (const [name, opened] of tills) {
    const owned = opened.map((till, at) =>
      openCounter(platform, at < OTHER_MERCHANT ? platform : { merchantId: other, apiKey }, till),
    )
    counters.set(name, await Promise.all(owned))
  }
}, START_MS)

afterAll(async () => {
  await platform.stop()
  await Promise.all([...tills.values()].flat().map(({ vendor }) => vendor.stop()))
  await database.drop()
}, TIMEOUT_MS)

function counterOf(name: string, at: number): Counter {
  const counter = counters.get(name)?.[at]
  assert(counter !== undefined, `expected counter ${at} of ${name}`)
  return counter
}

const buy = (counter: Counter): Promise<PaymentId> => buyAt(counter, { amount: Number(MINOR) })

const notificationsOf = (paymentId: PaymentId) =>
  platform.db
    .selectFrom('notification')
    .select(['merchant_id', 'channel_account_id', 'state', 'quarantine_reason'])
    .where('payment_number', '=', paymentId)
    .execute()

const casesOf = (paymentId: PaymentId) =>
  platform.db
    .selectFrom('open_case')
    .select(['merchant_id', 'kind', 'state'])
    .where('subject', '=', paymentId)
    .execute()

async function refusalsOf({ accountId }: Counter): Promise<readonly string[]> {
  const rows = await platform.db
    .selectFrom('rejected_callback')
    .select('reason')
    .where('channel_account_id', '=', accountId)
    .execute()
  return rows.map(({ reason }) => reason)
}

const rowOf = (paymentId: PaymentId) =>
  platform.db
    .selectFrom('payment')
    .select(['state', 'money_in_doubt', 'merchant_id', 'channel_account_id', 'disposition'])
    .where('id', '=', paymentId)
    .executeTakeFirstOrThrow()

/** It is as if nothing had been said; and its own account's callback still pays it. */
async function expectUntouchedAndPayable(counter: Counter, paymentId: PaymentId): Promise<void> {
  const { merchantId, accountId } = counter
  const own = { merchant_id: merchantId, channel_account_id: accountId }
  expect(await rowOf(paymentId)).toEqual({
    ...own,
    state: 'pending',
    money_in_doubt: false,
    disposition: null,
  })
  await payAt(counter, paymentId)
  await counter.shop.waitForState(paymentId, 'paid')
  expect(await rowOf(paymentId)).toMatchObject({ ...own, disposition: 'counted' })
}

describe.each(Object.keys(TILLS))('two merchants with two accounts of %s each', (name) => {
  test(
    'are paid at the same time, each payment by the callback of its own account',
    async () => {
      const all = counters.get(name) ?? []
      const ids = await Promise.all(all.map(buy))
      expect(new Set(ids).size).toBe(4)
      await Promise.all(
        all.map(async (counter, at) => {
          const id = ids[at]
          assert(id !== undefined, 'as many payments as counters')
          await expectUntouchedAndPayable(counter, id)
          expect(await notificationsOf(id)).toEqual([
            {
              merchant_id: counter.merchantId,
              channel_account_id: counter.accountId,
              state: 'applied',
              quarantine_reason: null,
            },
          ])
          expect(await casesOf(id)).toEqual([])
        }),
      )
    },
    TIMEOUT_MS,
  )

  test.each([
    ['the same merchant', SAME_MERCHANT],
    ['another merchant', OTHER_MERCHANT],
  ])(
    'CB-09: a genuine callback of one account at the address of one of %s is refused',
    async (_whose, at) => {
      const [speaker, listener] = [counterOf(name, SPEAKER), counterOf(name, at)]
      const id = await buy(listener)
      const before = (await refusalsOf(listener)).length
      const { address } = listener
      speaker.till.hearAt?.(address)
      await orderAt(platform, speaker, { paymentId: id, minor: MINOR, callbackUrl: address })
      await payAt(speaker, id, 'refused', address)
      await waitFor('the refusal', async () =>
        (await refusalsOf(listener)).length > before ? true : undefined,
      )
      const own = (await notificationsOf(id)).filter(
        ({ channel_account_id: account }) => account === listener.accountId,
      )
      expect(own).toEqual([])
      await expectUntouchedAndPayable(listener, id)
    },
    TIMEOUT_MS,
  )

  test.each([
    ['the same merchant', SAME_MERCHANT, 'other_account'],
    ['another merchant', OTHER_MERCHANT, 'unknown_payment'],
  ])(
    'CB-09: a callback signed by one account that names a payment of %s is a case and never pays it',
    async (_whose, at, reason) => {
      const [speaker, owner] = [counterOf(name, SPEAKER), counterOf(name, at)]
      const id = await buy(owner)
      await orderAt(platform, speaker, { paymentId: id, minor: MINOR })
      await payAt(speaker, id)
      await waitFor('the case', async () => ((await casesOf(id)).length > 0 ? true : undefined))
      expect(await casesOf(id)).toEqual([
        { merchant_id: speaker.merchantId, kind: reason, state: 'open' },
      ])
      expect(await notificationsOf(id)).toEqual([
        {
          merchant_id: speaker.merchantId,
          channel_account_id: speaker.accountId,
          state: 'quarantined',
          quarantine_reason: reason,
        },
      ])
      await expectUntouchedAndPayable(owner, id)
    },
    TIMEOUT_MS,
  )

  test('show a merchant only its own payments', async () => {
    const [one, other] = [counterOf(name, SPEAKER), counterOf(name, OTHER_MERCHANT)]
    const id = await buy(one)
    const read = (counter: Counter) =>
      fetch(`${platform.gateway.url}/v1/payments/${id}`, { headers: counter.shop.headers })
    expect((await read(one)).status).toBe(200)
    expect((await read(other)).status).toBe(404)
  })
})

/**
 * What is said of a callback that the vendor signed with the right key for somebody else's account. WeChat Pay
 * encrypts it besides. The emulated Alipay has one book of numbers for all its apps, so nothing is said of it.
 */
const ONE_KEY = [
  ['unionpay', 'identity_differs'],
  ['pingpp', 'identity_differs'],
  ['wechat-pay', 'decrypt_failed'],
] as const

test.each(ONE_KEY)(
  'CB-09: %s signs for two merchants with one key, and still pays neither with the words of the other',
  async (name, reason) => {
    const speaker = counterOf(name, SAME_MERCHANT)
    const listener = counterOf(name, OTHER_MERCHANT_SAME_KEY)
    const { address } = listener
    const id = await buy(listener)
    speaker.till.hearAt?.(address)
    await orderAt(platform, speaker, { paymentId: id, minor: MINOR, callbackUrl: address })
    await payAt(speaker, id, reason === 'decrypt_failed' ? 'refused' : 'acknowledged', address)
    await waitFor(reason, async () => {
      const cases = await casesOf(id)
      const own = cases.filter(({ merchant_id: merchant }) => merchant === listener.merchantId)
      const found = [...own.map(({ kind }) => kind), ...(await refusalsOf(listener))]
      return found.includes(reason) ? true : undefined
    })
    expect(await rowOf(id)).toMatchObject({ state: 'pending', disposition: null })
    await payAt(listener, id)
    await listener.shop.waitForState(id, 'paid')
  },
  TIMEOUT_MS,
)
