import { Client } from 'pg'
import { openDatabase, workerDatabase } from '#db/database'
import { addMerchant } from '#db/account/merchant'
import { migrate } from '#db/migrate'
import type { ChannelAccountId, MerchantId } from '#domain/id'
import { databaseUrl } from '../support/postgres.ts'
import { addTill } from '../support/till.ts'
import type { KeyedAccount } from './channel.ts'

/** A new database with one account, for one phase. */
export interface PhaseDatabase {
  readonly url: string
  readonly merchantId: MerchantId
  readonly account: ChannelAccountId
  countNotifications(): Promise<number>
  drop(): Promise<void>
}

export async function makeDatabase(server: string, keyed: KeyedAccount): Promise<PhaseDatabase> {
  const name = `bench_${crypto.randomUUID().replaceAll('-', '')}`
  await query(server, `create database ${name}`)
  const url = databaseUrl(server, name)
  await migrate(url)
  const db = openDatabase(url, workerDatabase, () => undefined)
  const merchantId = await addMerchant(db, 'Benchmark')
  const account = await addTill(db, merchantId, keyed)
  await db.destroy()
  // No phase pays for the pages that another one left dirty.
  await query(server, 'checkpoint')
  return {
    url,
    merchantId,
    account,
    async countNotifications() {
      const rows = await query(url, 'select count(*)::int as count from pingzhang.notification')
      return Number(rows[0]?.['count'])
    },
    async drop() {
      await query(server, `drop database ${name} with (force)`)
    },
  }
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const result = await client.query<Record<string, unknown>>(text)
    return result.rows
  } finally {
    await client.end()
  }
}
