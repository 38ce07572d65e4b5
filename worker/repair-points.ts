import type { DiscrepancyRow } from '#db/bill/discrepancy'
import { hasItsPoints } from '#db/bill/match-points'
import type { PaymentRow } from '#db/payment/payment'
import type { WorkerDeps } from './deps.ts'
import { runCompensation } from './job/compensation.ts'
import type { Repair } from './repair.ts'

/** Does for one order what the second consumer of its payment does, and looks whether its points agree by now. */
export async function repairPoints(
  deps: WorkerDeps,
  row: DiscrepancyRow,
  payment: PaymentRow,
): Promise<Repair> {
  const { merchant_id: merchantId, id: paymentId, order_id: orderId } = payment
  const job = { merchantId, paymentIds: [paymentId] }
  await runCompensation(deps, job, new AbortController().signal)
  return (await hasItsPoints(deps.db, row.merchant_id, orderId))
    ? { kind: 'agreed', said: 'the points agree by now' }
    : { kind: 'undecided', said: 'the points are not given yet' }
}
