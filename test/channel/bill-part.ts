import { assert } from '#domain/assert'
import type { RefundMoment } from '#domain/business-day'

/** What a vendor's bills consist of. */
export interface BillParts {
  /** How the account moved, as a bill of its own. */
  readonly hasFund: boolean
  /** An answer gives a link, and the link gives the file. */
  readonly hasLinks: boolean
  /** What dates a refund (payment rules, section 8). */
  readonly refundsBy: RefundMoment
  /** Lines tell the wallet's own number beside the vendor's (Ping++ dossier, section 2.2). */
  readonly hasWalletNumbers?: true
}

/**
 * Which vendor has which part, by its dossier: WeChat Pay and Alipay, sections 6.1; UnionPay, section 5.1, whose file
 * comes inside the answer; Ping++, section 6, which has lists alone.
 */
export const BILL_PARTS: Readonly<Record<string, BillParts>> = {
  'wechat-pay': { hasFund: true, hasLinks: true, refundsBy: 'sent' },
  alipay: { hasFund: true, hasLinks: true, refundsBy: 'sent' },
  unionpay: { hasFund: false, hasLinks: false, refundsBy: 'sent' },
  pingpp: { hasFund: false, hasLinks: false, refundsBy: 'succeeded', hasWalletNumbers: true },
}

export function billPartsOf(vendor: string): BillParts {
  const parts = BILL_PARTS[vendor]
  assert(parts !== undefined, `the table says what the bills of ${vendor} consist of`)
  return parts
}
