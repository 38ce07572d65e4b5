import { z } from 'zod'

import { billKnobs } from '../core/bill-knobs.ts'
import { commonKnobs, count, toggle } from '../core/knobs.ts'

/** How a refund ends. `held` waits until a test ends it; `refused` is failed already in the answer. */
export const REFUND_ENDINGS = ['succeeded', 'failed', 'refused', 'held'] as const

/** The fault panel: what all vendors have, and what only Ping++ has. */
export const knobsSchema = z.strictObject({
  ...commonKnobs,
  /** Which key signs events; `mixed` alternates, as while a merchant changes keys. */
  eventKey: z.enum(['current', 'previous', 'mixed']).default('current'),
  /** `[]` in place of an empty object in `extra`, `metadata` and `credential` (dossier 2.2). */
  emptyArrays: toggle,
  /** Objects as years ago: no `reversed`, `refunds` null (dossier 2.2). */
  oldPayloads: toggle,
  /** Events carry no id (dossier 4.1). */
  eventWithoutId: toggle,
  /** Alipay's old services, whose credential names no gateway (dossier 2.5). */
  oldAlipay: toggle,
  /** The next n requests are answered so before anything else is looked at. */
  status401: count,
  status403: count,
  status404: count,
  status429: count,
  status502: count,
  /** The next n writing requests are refused by the channel behind Ping++. */
  status402: count,
  /** The next n writing requests are handled, and the gateway in front answers 502. */
  badGatewayAfterCommit: count,
  /** An identical create with a used number gets the same object, not an error (dossier 5). */
  repeatsAnswerAlike: toggle,
  /** Reads show the credential of what is not paid. Whether Ping++'s do is not known. */
  credentialInReads: toggle,
  /** How far the time of a signed request may be off. Nobody knows Ping++'s own limit. */
  clockSkewSecondsMax: z.int().min(0).default(86_400),
  refundEnding: z.enum(REFUND_ENDINGS).default('succeeded'),
  /** For refunds that fail or are refused (dossier 3). */
  refundFailureCode: z.string().default('refund_refused_msg'),
  /** How long a refund stays pending. */
  refundAfterMs: z.int().min(0).max(600_000).default(0),
  /** The next n refunds come too late for the channel. */
  refundOutOfTime: count,
  /** The next n refunds are of a payment that belongs to an order object. */
  refundOfOrder: count,
  /** The lists of a day. Nothing of Ping++'s has a link; late, the newest payment comes and goes. */
  ...billKnobs,
  /** The next n pages of a day's lists behind the first one are answered with 500. */
  billBreaks: count,
  /** The lists of a day begin again behind every page, and promise more. */
  billCursorLoop: toggle,
  /** Lists give at most so many at once, whatever is asked for. */
  listPageMax: z.int().min(1).max(100).default(100),
})

export type Knobs = z.output<typeof knobsSchema>
/** A change of some knobs. */
export type KnobsPatch = Partial<z.input<typeof knobsSchema>>
