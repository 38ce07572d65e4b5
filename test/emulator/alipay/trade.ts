import { chinaDigits } from '../core/china-time.ts'
import { newDigits } from '../core/random.ts'

/** How an order came to Alipay (dossier 2.1). */
export const PRODUCTS = ['page', 'wap', 'app', 'precreate', 'create'] as const

export type Product = (typeof PRODUCTS)[number]

export type TradeState = 'WAIT_BUYER_PAY' | 'TRADE_SUCCESS' | 'TRADE_FINISHED' | 'TRADE_CLOSED'

/** What the merchant asked for, signed by him. */
export interface Offer {
  readonly product: Product
  readonly appId: string
  readonly sellerId: string
  readonly outTradeNo: string
  readonly totalFen: number
  readonly subject: string
  readonly body?: string
  readonly passbackParams?: string
  readonly notifyUrl?: string
  readonly returnUrl?: string
  readonly quitUrl?: string
  readonly buyerOpenId?: string
  readonly buyerUserId?: string
  /** As the merchant wrote it. */
  readonly charset: string
  readonly expiresAt: Date
  /** Notices of face-to-face and order-code products are repeated at once as well (dossier 4.6). */
  readonly isFaceToFace: boolean
}

export interface Payment {
  readonly paidAt: Date
  /** What the buyer pays after coupons of the platform, fen. */
  readonly buyerPaysFen: number
}

export interface Refund {
  readonly outRequestNo: string
  readonly fen: number
  readonly reason?: string
  readonly at: Date
}

/** One trade in the vendor's books. Never changed: a move replaces it. */
export interface Trade {
  readonly offer: Offer
  readonly tradeNo: string
  readonly state: TradeState
  readonly createdAt: Date
  readonly payment?: Payment
  readonly refunds: readonly Refund[]
  readonly closedAt?: Date
}

/** The buyer, unless the merchant names one. */
export const BUYER = {
  openId: '074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5',
  userId: '2088722003899169',
  logonId: '159****5620',
} as const

/** The date in China, `22`, and digits of chance: 28 digits in all. */
export const newTradeNo = (now: Date): string => `${chinaDigits(now).slice(0, 8)}22${newDigits(18)}`

export const newTrade = (offer: Offer, now: Date): Trade => ({
  offer,
  tradeNo: newTradeNo(now),
  state: 'WAIT_BUYER_PAY',
  createdAt: now,
  refunds: [],
})

export const refundedFen = ({ refunds }: Trade): number =>
  refunds.reduce((sum, { fen }) => sum + fen, 0)

/** The same sale: a repeat may not change what is sold, to whom, or for how much (dossier 2.2). */
export const isSameSale = (left: Offer, right: Offer): boolean =>
  left.totalFen === right.totalFen &&
  left.subject === right.subject &&
  left.sellerId === right.sellerId

/** The trade as a notice would show it if it were paid: a paid one as it is. */
export function claimPaid(trade: Trade, now: Date): Trade {
  if (trade.payment !== undefined) return trade
  const payment = { paidAt: now, buyerPaysFen: trade.offer.totalFen }
  return { ...trade, state: 'TRADE_SUCCESS', payment }
}
