import { findCase, findCasePayment } from '#db/case/case-desk'
import { loadLocalHosts, loadSealKey } from '#db/config'
import type { Db } from '#db/database'
import type { DecisionRequest } from '#db/case/decision'
import { findStrategy } from './channel-add.ts'
import type { Context } from './context.ts'
import { loadStoredAccount } from './stored-account.ts'

/** Only these decisions depend on it; the others must not need the seal key. */
const KINDS = new Set(['refund_abnormal', 'refund_unknown'])

/** Whether the vendor of a case's refund knows refunds by a number of ours; false where nobody needs to know. */
export async function findRefundKey(
  context: Context,
  db: Db,
  { caseId, decision }: Pick<DecisionRequest, 'caseId' | 'decision'>,
): Promise<boolean> {
  const item = decision === 'retry' ? await findCase(db, caseId) : undefined
  const payment =
    item !== undefined && KINDS.has(item.kind) ? await findCasePayment(db, item) : undefined
  if (payment === undefined) return false
  const sealKey = loadSealKey(context.env)
  const account = await loadStoredAccount(db, sealKey, payment.channel_account_id)
  const channel = findStrategy(account.strategy).create(account, {
    clock: context.clock,
    fetch: (url, init) => fetch(url, init),
    localHosts: loadLocalHosts(context.env),
    newNonce: () => crypto.randomUUID().replaceAll('-', ''),
  })
  return channel.refund?.isRepeatable ?? false
}
