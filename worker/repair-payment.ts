import { findPayment } from '#db/payment/payment'
import { unreachable } from '#domain/assert'
import type { QueryOutcome } from '#channel/channel'
import type { WorkerDeps } from './deps.ts'
import { applyQuery, query } from './job/payment-query.ts'
import { UNDECIDED } from './repair.ts'
import type { Asking, Repair } from './repair.ts'

/** Asks about the payment, does what the answer proves, and compares what came of it with the bill. */
export async function repairPayment(
  deps: WorkerDeps,
  { row, payment, vendor }: Asking,
): Promise<Repair> {
  const outcome = await query(deps, vendor, payment)
  await applyQuery(deps, payment, outcome)
  const after = await findPayment(deps.db, payment.merchant_id, payment.id)
  const ours = after?.payment.received_amount ?? after?.payment.amount
  // Also when a callback was faster, and the vendor did not answer.
  if (after?.payment.state === 'paid' && ours === row.their_amount) {
    return { kind: 'agreed', said: 'paid here with what the bill says' }
  }
  return read(outcome)
}

function read(outcome: QueryOutcome): Repair {
  switch (outcome.kind) {
    case 'found':
      // A state that we do not know yet may be one on the way to paid.
      if (outcome.facts.vendorState === 'unknown') return UNDECIDED
      return {
        kind: 'differs',
        said: `the vendor was asked and says ${outcome.facts.vendorStateText}`,
      }
    case 'absent':
      return { kind: 'differs', said: `the vendor was asked and knows none: ${outcome.code}` }
    case 'unknown':
      return UNDECIDED
    default:
      return unreachable(outcome)
  }
}
