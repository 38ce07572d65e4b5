import type { Exchange } from '#channel/http'
import { findAccount } from '#db/account'
import { confirmPayment } from '#db/confirm-payment'
import { findPayment, referenceOf } from '#db/payment'
import { appendLog } from '#db/transaction-log'
import type { PaymentQueryJob } from '#domain/job'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'

/** Asks the vendor about a payment that is not paid here. Absent and not yet change nothing. */
export async function runPaymentQuery(deps: WorkerDeps, job: PaymentQueryJob): Promise<void> {
  const found = await findPayment(deps.db, job.merchantId, job.paymentId)
  if (found === undefined || found.payment.state === 'paid') return
  const { payment } = found
  const account = await findAccount(deps.db, deps.sealKey, payment.channel_account_id)
  if (account === undefined) throw new TryAgain(`account of ${payment.id} is gone`)
  const exchanges: Exchange[] = []
  const channel = deps.registry.get(account, account.version)
  const outcome = await channel.queryPayment(referenceOf(payment), (exchange) =>
    exchanges.push(exchange),
  )
  await appendLog(
    deps.db,
    exchanges.map((exchange) => ({
      merchantId: job.merchantId,
      channel: account.channel,
      paymentId: payment.id,
      kind: exchange.kind,
      content: { ...exchange },
    })),
  )
  if (outcome.kind !== 'found' || outcome.facts.vendorState !== 'success') return
  const claim = { facts: outcome.facts, channelAccountId: account.id }
  await deps.db
    .transaction()
    .execute((trx) => confirmPayment(trx, deps, job.merchantId, [claim], 'query'))
}
