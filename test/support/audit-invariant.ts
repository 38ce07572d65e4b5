import { listMerchantIds, verifyAudit } from '#db/case/audit-verify'
import type { Db } from '#db/database'
import type { Violation } from './invariant.ts'

/** I17: each merchant's chain has no gap, and every entry's hash covers it and the one before. */
export async function findBrokenAudit(db: Db): Promise<Violation[]> {
  const found: Violation[] = []
  for (const merchantId of await listMerchantIds(db)) {
    const verdict = await verifyAudit(db, merchantId)
    if (verdict.kind === 'intact') continue
    found.push({
      invariant: 'I17',
      subject: merchantId,
      problem: JSON.stringify(verdict, printable),
    })
  }
  return found
}

const printable = (_name: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value
