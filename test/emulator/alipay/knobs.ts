import { z } from 'zod'

import { billKnobs, fundKnobs } from '../core/bill-knobs.ts'
import { commonKnobs, count, toggle } from '../core/knobs.ts'
import { ARCHIVE_TRICKS } from './bill-archive.ts'

/** The fault panel: what all vendors have, and what only Alipay has. */
export const knobsSchema = z.strictObject({
  ...commonKnobs,
  ...billKnobs,
  ...fundKnobs,
  /** A notice also tells that an order waits for its buyer (dossier 4.7). */
  noticeOfWaiting: toggle,
  /** A notice also tells that an unpaid order was closed. */
  noticeOfClose: toggle,
  /** A notice tells of every refund, as merchants report. */
  noticeOfRefund: z.boolean().default(true),
  /** An empty field in every notice; its place in the signed text is not documented. */
  emptyNoticeField: z.enum(['absent', 'signed', 'unsigned']).default('absent'),
  /** `alipay_cert_sn` in the notices of certificate mode (dossier 4.2). */
  noticeCertificate: z.enum(['absent', 'signed', 'unsigned']).default('absent'),
  /** The next n calls are not handled and are answered with `refuseWith`, signed. */
  refusals: count,
  refuseWith: z.string().min(1).max(64).default('isp.unknow-error'),
  /** Slashes in answers come as `\/`, signed as they are sent (dossier 1.5). */
  escapedSlashes: toggle,
  /** The next n refunds find the merchant's balance too small. */
  sellerBalanceShort: count,
  /** The next n refunds are answered 10000 with `fund_change` N, and nothing moves. */
  refundsWithoutChange: count,
  /** What the archives of new bills try: of trade bills, and of account bills. */
  billTrick: z.enum(['none', ...ARCHIVE_TRICKS]).default('none'),
  fundTrick: z.enum(['none', ...ARCHIVE_TRICKS]).default('none'),
  /** Names in bills are of characters whose second byte is one of ASCII. */
  billEdgeBytes: toggle,
})

export type Knobs = z.output<typeof knobsSchema>
/** A change of some knobs. */
export type KnobsPatch = Partial<z.input<typeof knobsSchema>>
