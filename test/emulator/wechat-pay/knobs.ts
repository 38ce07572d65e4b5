import { z } from 'zod'

import { commonKnobs, count, toggle } from '../core/knobs.ts'

/** The fault panel: what all vendors have, and what only WeChat Pay has. */
export const knobsSchema = z.strictObject({
  ...commonKnobs,
  /** Which key signs callbacks; `mixed` alternates, as during the migration (dossier 1.7). */
  callbackKey: z.enum(['public', 'certificate', 'mixed']).default('public'),
  /** The next n sends are signature probes (dossier 1.9). */
  probe: count,
  probeAnswers: count,
  /** What becomes of accepted refunds; PROCESSING: nothing, until `finishRefund`. */
  refundResult: z.enum(['SUCCESS', 'PROCESSING', 'ABNORMAL', 'CLOSED']).default('SUCCESS'),
  /** The next n refunds meet an empty account. */
  refundNotEnough: count,
  status429: count,
  /** The next n asks for a bill come too early. */
  billLate: count,
  /** There was no business, whatever the books say. */
  billEmpty: toggle,
  /** The next n links lead to half a file, to one with a changed bit, to a bomb. */
  billTruncated: count,
  billCorrupt: count,
  billBomb: count,
  /** The next n links expire before they are used. */
  billLinkExpired: count,
  /** The next n bills are made anew: what the panel says now, in another order. */
  billReissued: count,
  /** The payment or refund, by the merchant's number, that the bill lacks; that it has twice. */
  billMissingLine: z.string().max(64).default(''),
  billDuplicateLine: z.string().max(64).default(''),
  /** Fen added to lines, by the merchant's number of the payment or refund. */
  billWrongAmount: z.record(z.string().max(64), z.int()).default({}),
  /** Payments that never happened here: the merchant's number, and fen. */
  billExtraLine: z.record(z.string().max(64), z.int().min(1)).default({}),
})

export type Knobs = z.output<typeof knobsSchema>
/** A change of some knobs. */
export type KnobsPatch = Partial<z.input<typeof knobsSchema>>
