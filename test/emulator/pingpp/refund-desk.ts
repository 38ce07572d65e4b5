import type { EmulatedCharge } from './charge.ts'
import type { Emission } from './event-desk.ts'
import { newRefundId, newRequestId, newTransactionNumber } from './id.ts'
import type { EmulatedRefund } from './refund.ts'
import { refundObject } from './refund.ts'
import type { PingppVendor } from './vendor.ts'

export interface RefundWish {
  /** Fen. */
  readonly amount: number
  readonly description: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly fundingSource?: string
}

/** Refunds are asynchronous: pending in the answer, ended by the channel, told by an event (dossier 3). */
export class RefundDesk {
  readonly #vendor: PingppVendor

  constructor(vendor: PingppVendor) {
    this.#vendor = vendor
  }

  /** Writes a refund down and lets it end as the panel says. */
  create(charge: EmulatedCharge, wish: RefundWish): EmulatedRefund {
    const { panel, book, errands, now } = this.#vendor
    const { refundEnding, refundFailureCode, refundAfterMs } = panel.get()
    const isRefused = refundEnding === 'refused'
    const refund: EmulatedRefund = {
      ...wish,
      id: newRefundId(now()),
      chargeId: charge.id,
      status: isRefused ? 'failed' : 'pending',
      created: this.#vendor.nowSeconds(),
      requestId: newRequestId(),
      ...(isRefused && { failureCode: refundFailureCode }),
    }
    book.addRefund(refund)
    if (refundEnding === 'succeeded' || refundEnding === 'failed') {
      errands.after(refundAfterMs, () => void this.finish(refund.id, refundEnding))
    }
    return refund
  }

  /** The channel ends a pending refund. `undefined`: there is none. */
  finish(refundId: string, ending: 'succeeded' | 'failed'): Emission | undefined {
    const { book, now, panel } = this.#vendor
    const refund = book.findRefund(refundId)
    const charge = refund === undefined ? undefined : book.find(refund.chargeId)
    if (refund?.status !== 'pending' || charge === undefined) return undefined
    const isDone = ending === 'succeeded'
    const ended = book.replaceRefund({
      ...refund,
      status: ending,
      ...(isDone && {
        timeSucceed: this.#vendor.nowSeconds(),
        transactionNumber: newTransactionNumber(now()),
      }),
      ...(!isDone && { failureCode: panel.get().refundFailureCode }),
    })
    const object = refundObject(charge, ended)
    const { requestId } = refund
    return this.#vendor.emit(charge, { type: `refund.${ending}`, object, requestId })
  }
}
