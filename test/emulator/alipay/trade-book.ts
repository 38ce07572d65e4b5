import { newNonce } from '../core/random.ts'
import type { Offer, Refund, Trade } from './trade.ts'
import { claimPaid, isSameSale, newTrade, refundedFen } from './trade.ts'

export interface PayOptions {
  /** What the buyer pays after coupons, fen; the whole amount unless given. */
  readonly buyerPaysFen?: number
  /** A product without refunds: the trade is finished at once. */
  readonly isFinal?: boolean
}

export type Refusal = 'missing' | 'paid' | 'closed' | 'expired'

export type TradeMove =
  | { readonly kind: 'moved'; readonly trade: Trade; readonly isNew?: boolean }
  | { readonly kind: 'refused'; readonly reason: Refusal }

const QR_LIFE_MS = 2 * 3600 * 1000

interface QrCode {
  readonly outTradeNo: string
  readonly expiresAt: Date
}

/** All offers and trades, and the only place that moves them. */
export class TradeBook {
  /** What buyers may still turn into a trade; Alipay itself knows nothing of it yet (dossier 3.2). */
  readonly #offers = new Map<string, Offer>()
  readonly #trades = new Map<string, Trade>()
  readonly #codes = new Map<string, QrCode>()
  readonly #now: () => Date

  constructor(now: () => Date) {
    this.#now = now
  }

  /** The error code that the offer meets. `undefined`: it was taken. */
  offer(offer: Offer): string | undefined {
    const trade = this.find(offer.outTradeNo)
    if (trade?.state === 'TRADE_CLOSED') return 'ACQ.TRADE_HAS_CLOSE'
    if (trade !== undefined && trade.state !== 'WAIT_BUYER_PAY') return 'ACQ.TRADE_HAS_SUCCESS'
    const known = trade?.offer ?? this.#offers.get(offer.outTradeNo)
    if (known !== undefined && !isSameSale(known, offer)) return 'ACQ.CONTEXT_INCONSISTENT'
    if (trade === undefined) this.#offers.set(offer.outTradeNo, offer)
    return undefined
  }

  findOffer(outTradeNo: string): Offer | undefined {
    return this.find(outTradeNo)?.offer ?? this.#offers.get(outTradeNo)
  }

  dropOffer(outTradeNo: string): void {
    this.#offers.delete(outTradeNo)
  }

  newQrCode(outTradeNo: string): string {
    const code = `https://qr.alipay.com/bax${newNonce(17)}`
    const expiresAt = new Date(this.#now().getTime() + QR_LIFE_MS)
    this.#codes.set(code, { outTradeNo, expiresAt })
    return code
  }

  /** The order number behind a code. `undefined`: unknown or too old. */
  readQrCode(code: string): string | undefined {
    const known = this.#codes.get(code)
    return known === undefined || this.#now() >= known.expiresAt ? undefined : known.outTradeNo
  }

  find(outTradeNo: string): Trade | undefined {
    const trade = this.#trades.get(outTradeNo)
    return trade === undefined ? undefined : this.#aged(trade)
  }

  findByTradeNo(tradeNo: string): Trade | undefined {
    return this.list().find((trade) => trade.tradeNo === tradeNo)
  }

  list(): readonly Trade[] {
    return [...this.#trades.values()].map((trade) => this.#aged(trade))
  }

  /** The buyer comes to the cashier or scans the code: now the trade exists. */
  enter(outTradeNo: string): TradeMove {
    const trade = this.find(outTradeNo)
    if (trade?.state === 'TRADE_CLOSED') return { kind: 'refused', reason: 'closed' }
    if (trade?.payment !== undefined) return { kind: 'refused', reason: 'paid' }
    if (trade !== undefined) return { kind: 'moved', trade }
    const offer = this.#offers.get(outTradeNo)
    const now = this.#now()
    if (offer === undefined) return { kind: 'refused', reason: 'missing' }
    if (now >= offer.expiresAt) return { kind: 'refused', reason: 'expired' }
    this.#offers.delete(outTradeNo)
    return { kind: 'moved', trade: this.#put(newTrade(offer, now)), isNew: true }
  }

  pay(outTradeNo: string, options: PayOptions = {}): TradeMove {
    const entered = this.enter(outTradeNo)
    if (entered.kind === 'refused') return entered
    const paid = claimPaid(entered.trade, this.#now())
    const buyerPaysFen = options.buyerPaysFen ?? paid.offer.totalFen
    const trade: Trade = {
      ...paid,
      state: options.isFinal ? 'TRADE_FINISHED' : 'TRADE_SUCCESS',
      payment: { paidAt: this.#now(), buyerPaysFen },
    }
    return { kind: 'moved', trade: this.#put(trade) }
  }

  close(trade: Trade): Trade {
    return this.#put({ ...trade, state: 'TRADE_CLOSED', closedAt: this.#now() })
  }

  /** The refund window is over. */
  finish(trade: Trade): Trade {
    return this.#put({ ...trade, state: 'TRADE_FINISHED', closedAt: this.#now() })
  }

  /** Adds a refund; the trade closes when everything is returned (dossier 3.3). */
  refund(trade: Trade, refund: Omit<Refund, 'at'>): Trade {
    const refunded: Trade = {
      ...trade,
      refunds: [...trade.refunds, { ...refund, at: this.#now() }],
    }
    return refundedFen(refunded) < trade.offer.totalFen ? this.#put(refunded) : this.close(refunded)
  }

  #put(trade: Trade): Trade {
    this.#trades.set(trade.offer.outTradeNo, trade)
    return trade
  }

  #aged(trade: Trade): Trade {
    if (trade.state !== 'WAIT_BUYER_PAY' || this.#now() < trade.offer.expiresAt) return trade
    return this.close(trade)
  }
}
