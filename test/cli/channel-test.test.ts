import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addMerchant } from '#db/account/merchant'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { TILLS, addTill } from '../support/till.ts'
import type { Till } from '../support/till.ts'
import { runCommand } from './run.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let db: Db
const opened: Till[] = []

beforeAll(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url, workerDatabase, () => undefined)
}, TIMEOUT_MS)

afterAll(async () => {
  await Promise.all(opened.map(({ vendor }) => vendor.stop()))
  await db.destroy()
  await database.drop()
}, TIMEOUT_MS)

async function open(strategy: string) {
  const [till] = (await TILLS[strategy]?.([1])) ?? []
  if (till === undefined) throw new Error(`no till of ${strategy}`)
  opened.push(till)
  const merchantId = await addMerchant(db, `Shop ${opened.length}`)
  return { till, accountId: await addTill(db, merchantId, till) }
}

const ask = (accountId: string, localHosts: string) =>
  runCommand(
    {
      DATABASE_URL: database.url,
      PINGZHANG_SEAL_KEY: '5a'.repeat(32),
      PINGZHANG_LOCAL_HOSTS: localHosts,
    },
    ['channel', 'test', accountId, '--json'],
  )

const verdict = z.object({ answer: z.literal('absent'), verified: z.boolean() })

describe('channel test', () => {
  test.each(Object.keys(TILLS))(
    'of %s says that the answer verified, wherever the vendor puts its signature',
    async (strategy) => {
      const { till, accountId } = await open(strategy)
      const { code, out, err } = await ask(accountId, new URL(till.vendor.url).host)
      expect({ code, err }).toEqual({ code: 0, err: '' })
      expect(verdict.parse(JSON.parse(out)).verified).toBe(true)
    },
    TIMEOUT_MS,
  )

  test(
    'says that the keys are not proven when the vendor did not sign its answer',
    async () => {
      const { till, accountId } = await open('wechat-pay')
      const vendor = new URL(till.vendor.url)
      await fetch(new URL('/_control/knobs', vendor), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ unsignedAnswers: 1 }),
      })
      const { out } = await ask(accountId, vendor.host)
      expect(verdict.parse(JSON.parse(out)).verified).toBe(false)
    },
    TIMEOUT_MS,
  )

  test(
    'of an address that may not be asked names the rule, and no setting of one vendor',
    async () => {
      const { accountId } = await open('alipay')
      const { code, err } = await ask(accountId, '')
      expect(code).toBe(3)
      expect(err).toMatch(/https.*PINGZHANG_LOCAL_HOSTS/)
      expect(err).not.toContain('base_url')
    },
    TIMEOUT_MS,
  )
})
