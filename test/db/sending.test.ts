import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { keepCredential } from '#db/payment/credential'
import { claimSending, endSending } from '#db/payment/sending'
import type { PaymentId } from '#domain/id'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

// Who may give the customer another number: only a call beside which there is no other.

const TIMEOUT_MS = 30_000

let database: TestDatabase
let desk: Desk

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

const claim = async (id: PaymentId): Promise<boolean> => claimSending(desk.db, await desk.load(id))

const letPass = (id: PaymentId, time: string) =>
  sql`UPDATE payment SET sending_until = sending_until - ${time}::interval WHERE id = ${id}`.execute(
    desk.db,
  )

const newPayment = async (): Promise<PaymentId> => (await desk.order()).first.paymentId

test('the first call of a new payment is under way for a minute, whoever has made its row', async () => {
  const id = await newPayment()
  expect(await claim(id)).toBe(false)
  await letPass(id, '50 s')
  expect(await claim(id)).toBe(false)
  await letPass(id, '11 s')
  expect(await claim(id)).toBe(true)
  expect(await claim(id)).toBe(false)
})

test('one of many that come at once is alone', async () => {
  const id = await newPayment()
  await endSending(desk.db, await desk.load(id), [])
  const claims = await Promise.all(Array.from({ length: 8 }, () => claim(id)))
  expect(claims.filter((isAlone) => isAlone)).toHaveLength(1)
})

test('it ends with an unknown answer, of which the log is kept', async () => {
  const id = await newPayment()
  const { merchantId } = desk
  const entry = {
    merchantId,
    channel: 'unionpay',
    paymentId: id,
    kind: 'create',
    content: {},
  } as const
  await endSending(desk.db, await desk.load(id), [entry])
  expect(await claim(id)).toBe(true)
  const rows = desk.db.selectFrom('transaction_log').select('kind').where('payment_id', '=', id)
  expect(await rows.execute()).toEqual([{ kind: 'create' }])
})

test('it ends with the credential', async () => {
  const id = await newPayment()
  const credential = { nextAction: { type: 'redirect', url: 'https://example.com/pay' } } as const
  await keepCredential(desk.db, await desk.load(id), credential, { entries: [], at: new Date() })
  expect(await claim(id)).toBe(true)
})
