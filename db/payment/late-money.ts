import { unreachable } from '#domain/assert'
import type { MerchantId, OrderId, PaymentId } from '#domain/id'
import type { Disposition } from '#domain/state'
import type { AuditEntry } from '../case/audit.ts'
import { openCases } from '../case/case.ts'
import type { Trx } from '../database.ts'
import { createGrants } from '../points/grant.ts'
import type { Jobs } from '../job.ts'
import { reserveRefund } from '../refund/refund.ts'
import type { LatePolicy } from '../schema.ts'

/** Money that does not pay an open order: the order was closed, or is paid already. */
export interface LateMoney {
  readonly payment: {
    readonly id: PaymentId
    readonly orderId: OrderId
    readonly userId: string
    readonly amountMinor: bigint
  }
  readonly disposition: Exclude<Disposition, 'counted'>
  readonly number: string
}

export interface LateMoneyDeps {
  readonly jobs: Jobs
  readonly now: () => Date
}

/** What this merchant wants done with late and double money. */
export async function findPolicy(trx: Trx, merchantId: MerchantId): Promise<LatePolicy> {
  const merchant = await trx
    .selectFrom('merchant')
    .select('late_policy')
    .where('id', '=', merchantId)
    .executeTakeFirstOrThrow()
  return merchant.late_policy
}

/**
 * Follows the merchant's policy for late and double money, in the commit that makes the payment paid and
 * under its order's lock (payment rules, section 4); `ask` opens a case. Returns each step for the audit, whose
 * lock is the last one that the caller takes.
 */
export async function followPolicy(
  trx: Trx,
  deps: LateMoneyDeps,
  merchantId: MerchantId,
  { policy, items }: { readonly policy: LatePolicy; readonly items: readonly LateMoney[] },
): Promise<readonly AuditEntry[]> {
  const entries: AuditEntry[] = []
  for (const item of items) {
    const step = stepFor(policy, item.disposition)
    switch (step) {
      case 'revive':
        await revive(trx, deps, merchantId, item)
        break
      case 'refund':
        await giveBack(trx, deps, merchantId, item)
        break
      case 'ask':
        await ask(trx, merchantId, item)
        break
      default:
        return unreachable(step)
    }
    entries.push(entryOf(deps, merchantId, { item, step }))
  }
  return entries
}

/** A second payment cannot revive an order that is paid: then a person is asked. */
const stepFor = (policy: LatePolicy, disposition: LateMoney['disposition']): LatePolicy =>
  policy === 'revive' && disposition === 'excess' ? 'ask' : policy

/**
 * late → counted; the closed order is paid after all, with its points. The caller holds the order's lock and
 * has seen that it is closed.
 */
export async function revive(
  trx: Trx,
  deps: LateMoneyDeps,
  merchantId: MerchantId,
  { payment }: Pick<LateMoney, 'payment'>,
): Promise<void> {
  await trx
    .updateTable('payment')
    .set({ disposition: 'counted' })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', payment.id)
    .where('disposition', '=', 'late')
    .execute()
  await trx
    .updateTable('customer_order')
    .set({ state: 'paid', paid_payment_id: payment.id, close_wanted: false })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', payment.orderId)
    .where('state', '=', 'closed')
    .execute()
  await createGrants(trx, deps, merchantId, [payment])
}

/** No grant, the order is untouched, and this refund takes no points back. */
async function giveBack(
  trx: Trx,
  deps: LateMoneyDeps,
  merchantId: MerchantId,
  { payment, disposition }: LateMoney,
): Promise<void> {
  await reserveRefund(trx, deps.jobs, {
    merchantId,
    paymentId: payment.id,
    amountMinor: payment.amountMinor,
    reason: `${disposition} payment`,
    origin: 'policy',
    now: deps.now(),
  })
}

const ask = (
  trx: Trx,
  merchantId: MerchantId,
  { payment, disposition, number }: LateMoney,
): Promise<void> =>
  openCases(trx, [
    {
      merchantId,
      kind: `${disposition}_payment`,
      subject: payment.id,
      evidence: { vendor_amount: payment.amountMinor.toString(), vendor_number: number },
    },
  ])

const entryOf = (
  deps: LateMoneyDeps,
  merchantId: MerchantId,
  { item, step }: { readonly item: LateMoney; readonly step: LatePolicy },
): AuditEntry => ({
  merchantId,
  actor: 'policy',
  action: `${item.disposition}_payment.${step}`,
  subject: item.payment.id,
  reason: `the merchant's policy is ${step}`,
  content: { amount: item.payment.amountMinor.toString(), vendor_number: item.number },
  at: deps.now(),
})
