import { z } from 'zod'

import { billKnobs } from '../core/bill-knobs.ts'
import { commonKnobs, count, toggle } from '../core/knobs.ts'
import { BAD_CERTIFICATES } from './keys.ts'

const certificate = z.enum(['genuine', ...BAD_CERTIFICATES]).default('genuine')
const code = z.string().regex(/^(?:[0-9A-Z]{2})?$/)

export const ARCHIVE_TRICKS = [
  'plain',
  'parent',
  'absolute',
  'backslash',
  'symlink',
  'encrypted',
  'overlap',
  'twice',
  'bad_crc',
  'bad_size',
  'many',
] as const
export type ArchiveTrick = (typeof ARCHIVE_TRICKS)[number]

/** The fault panel: what all vendors have, and what only UnionPay has. */
export const knobsSchema = z.strictObject({
  ...commonKnobs,
  /** In which charset callbacks are written; as the order asked, unless set (dossier 1.1). */
  callbackCharset: z.enum(['as_ordered', 'UTF-8', 'GBK']).default('as_ordered'),
  /** A blank as `+` or as `%20`; `none` escapes nothing, which no reader gets right. */
  callbackEscapes: z.enum(['plus', 'percent', 'none']).default('plus'),
  /** `early` sends again after 0, 1, 2 and 4 minutes, `late` after 1, 2, 4 and 5: sources differ (dossier 3.2). */
  callbackGaps: z.enum(['early', 'late']).default('late'),
  /** What travels in `signPubKeyCert` and signs the callbacks and front returns. */
  callbackCertificate: certificate,
  /** The same for synchronous answers. */
  answerCertificate: certificate,
  /** The next n front returns are signed with a key that nobody knows. */
  badlySignedReturns: count,
  /** The buyer's browser returns by itself, as a merchant may have it set up (dossier 3.3). */
  autoReturn: toggle,
  /** The next n queries find nothing: 34. */
  notFoundQueries: count,
  /** The next n queries are too many: 37. */
  tooManyQueries: count,
  /** Queries fail with this code; an empty text switches it off. */
  queryCode: code.default(''),
  /** Writing requests are answered with this code. If it says that the fate is unknown, they are handled. */
  answerCode: code.default(''),
  /** How refunds and voids end. */
  refundCode: code.min(2).default('00'),
  /** Refunds and voids stay accepted until they are finished by hand. */
  holdRefunds: toggle,
  ...billKnobs,
  /** A day without business has an empty file instead of none. */
  billEmptyFile: toggle,
  /** Lines that have another order number than was ordered, by the merchant's own. */
  billOtherNumber: z.record(z.string(), z.string()).default({}),
  /** Names with the second bytes that look like ASCII; half a character in the middle of a column. */
  billCharset: z.enum(['usual', 'edge', 'broken']).default('usual'),
  /** What is wrong with the archive. */
  billArchive: z.enum(ARCHIVE_TRICKS).default('plain'),
})

export type Knobs = z.output<typeof knobsSchema>
/** A change of some knobs. */
export type KnobsPatch = Partial<z.input<typeof knobsSchema>>
