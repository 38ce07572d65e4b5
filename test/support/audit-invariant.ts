import { FIRST_HASH, hashOf } from '#db/audit'
import type { Db } from '#db/database'
import type { Violation } from './invariant.ts'

/** I17: each merchant's chain has no gap, and every entry's hash covers it and the one before. */
export async function findBrokenAudit(db: Db): Promise<Violation[]> {
  const rows = await db
    .selectFrom('audit')
    .selectAll()
    .orderBy('merchant_id')
    .orderBy('place')
    .execute()
  const chains = Map.groupBy(rows, (row) => row.merchant_id)
  return [...chains.values()].flatMap((chain) => {
    let previous = { place: 0n, hash: FIRST_HASH }
    const broken = chain.filter((row) => {
      const expected = hashOf(entryOf(row), previous.hash)
      const isWhole = row.place === previous.place + 1n && row.previous_hash === previous.hash
      previous = row
      return !isWhole || row.hash !== expected
    })
    return broken.map(({ id }): Violation => ({
      invariant: 'I17',
      subject: id,
      problem: 'the audit chain is broken here',
    }))
  })
}

const entryOf = (row: {
  readonly merchant_id: Parameters<typeof hashOf>[0]['merchantId']
  readonly place: bigint
  readonly id: string
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly reason: string
  readonly content: Readonly<Record<string, unknown>>
  readonly at: Date
}) => ({
  merchantId: row.merchant_id,
  place: row.place,
  id: row.id,
  actor: row.actor,
  action: row.action,
  subject: row.subject,
  reason: row.reason,
  content: Object.fromEntries(
    Object.entries(row.content).map(([name, value]) => [name, String(value)]),
  ),
  at: row.at,
})
