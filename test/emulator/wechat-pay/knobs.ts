import { z } from 'zod'

import { billKnobs, fundKnobs } from '../core/bill-knobs.ts'
import { commonKnobs, count } from '../core/knobs.ts'

/** The fault panel: what all vendors have, and what only WeChat Pay has. */
export const knobsSchema = z.strictObject({
  ...commonKnobs,
  ...billKnobs,
  ...fundKnobs,
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
})

export type Knobs = z.output<typeof knobsSchema>
/** A change of some knobs. */
export type KnobsPatch = Partial<z.input<typeof knobsSchema>>
