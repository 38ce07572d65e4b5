import type { MerchantId } from '#domain/id'
import { appendAudit } from '../case/audit.ts'
import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import type { LatePolicy } from '../schema.ts'

export interface NamedMerchant {
  readonly id: MerchantId
  readonly name: string
  readonly late_policy: LatePolicy
}

/** A merchant by its id or its name; an id wins over another one's name. */
export async function findMerchant(db: Db, text: string): Promise<NamedMerchant | undefined> {
  const rows = await db
    .selectFrom('merchant')
    .select(['id', 'name', 'late_policy'])
    .where((where) =>
      where.or([where(where.cast<string>('id', 'text'), '=', text), where('name', '=', text)]),
    )
    .execute()
  return rows.find((row) => String(row.id) === text) ?? rows[0]
}

export interface PolicyChange {
  readonly merchantId: MerchantId
  readonly policy: LatePolicy
  readonly actor: string
  readonly reason: string
  readonly at: Date
}

/** Sets what happens to late and double money from now on, with its audit entry. Returns the policy before. */
export async function setPolicy(db: Db, change: PolicyChange): Promise<LatePolicy> {
  return commit(db, 'merchant.policy', async (trx) => {
    const { late_policy: before } = await trx
      .selectFrom('merchant')
      .select('late_policy')
      .where('id', '=', change.merchantId)
      .forNoKeyUpdate()
      .executeTakeFirstOrThrow()
    if (before === change.policy) return before
    await trx
      .updateTable('merchant')
      .set({ late_policy: change.policy })
      .where('id', '=', change.merchantId)
      .execute()
    await appendAudit(trx, {
      merchantId: change.merchantId,
      actor: change.actor,
      action: 'merchant.policy',
      subject: change.merchantId,
      reason: change.reason,
      content: { from: before, to: change.policy },
      at: change.at,
    })
    return before
  })
}
