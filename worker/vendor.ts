import type { Channel } from '#channel/channel'
import type { Exchange } from '#channel/http'
import { findAccount } from '#db/account/account'
import type { StoredAccount } from '#db/account/account'
import type { PaymentRow } from '#db/payment/payment'
import { appendLog } from '#db/transaction-log'
import type { RefundId } from '#domain/id'
import { TryAgain } from './deps.ts'
import type { WorkerDeps } from './deps.ts'

/** An account with its channel, as a job needs it. */
export interface Vendor {
  readonly account: StoredAccount
  readonly channel: Channel
}

/** The channel of a payment's account. Accounts are retired, never deleted: without one the job comes back. */
export async function loadVendor(deps: WorkerDeps, payment: PaymentRow): Promise<Vendor> {
  const account = await findAccount(deps.db, deps.sealKey, payment.channel_account_id)
  if (account === undefined) throw new TryAgain(`account of ${payment.id} is gone`)
  return { account, channel: deps.registry.get(account, account.version) }
}

/** Speaks to the vendor and keeps what was said in the transaction log, whatever came of it. */
export async function speak<Outcome>(
  deps: WorkerDeps,
  { account }: Vendor,
  about: { readonly payment: PaymentRow; readonly refundId?: RefundId },
  call: (record: (exchange: Exchange) => void) => Promise<Outcome>,
): Promise<Outcome> {
  const exchanges: Exchange[] = []
  const outcome = await call((exchange) => exchanges.push(exchange))
  await appendLog(
    deps.db,
    exchanges.map((exchange) => ({
      merchantId: about.payment.merchant_id,
      channel: account.channel,
      paymentId: about.payment.id,
      ...(about.refundId === undefined ? {} : { refundId: about.refundId }),
      kind: exchange.kind,
      content: { ...exchange },
    })),
  )
  return outcome
}
