import { z } from 'zod'

import { count, toggle } from './knobs.ts'

/** What every vendor's bills have on the fault panel. A vendor adds its own beside them. */
export const billKnobs = {
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
} as const

type Shape = z.ZodObject<typeof billKnobs>
export type BillKnobs = z.output<Shape>
/** A change of some of them. */
export type BillKnobsPatch = Partial<z.input<Shape>>

type CountingKnob =
  'billLate' | 'billTruncated' | 'billCorrupt' | 'billBomb' | 'billLinkExpired' | 'billReissued'

/** The part of a vendor's fault panel that its bills look at. */
export interface BillPanel {
  get(): BillKnobs
  take(knob: CountingKnob): boolean
}

/** The same about the fund bill alone. What `bill…` plants among the rows has moved the account, too. */
export const fundKnobs = {
  fundLate: billKnobs.billLate,
  fundEmpty: billKnobs.billEmpty,
  fundTruncated: billKnobs.billTruncated,
  fundCorrupt: billKnobs.billCorrupt,
  fundBomb: billKnobs.billBomb,
  fundLinkExpired: billKnobs.billLinkExpired,
  fundReissued: billKnobs.billReissued,
  fundMissingLine: billKnobs.billMissingLine,
  fundDuplicateLine: billKnobs.billDuplicateLine,
  fundWrongAmount: billKnobs.billWrongAmount,
  fundExtraLine: billKnobs.billExtraLine,
} as const

type FundShape = z.ZodObject<typeof fundKnobs>
export type FundKnobsPatch = Partial<z.input<FundShape>>

const FUND_NAMES = {
  billLate: 'fundLate',
  billTruncated: 'fundTruncated',
  billCorrupt: 'fundCorrupt',
  billBomb: 'fundBomb',
  billLinkExpired: 'fundLinkExpired',
  billReissued: 'fundReissued',
} as const satisfies Record<CountingKnob, keyof z.output<FundShape>>

/** The fault panel as the fund bill looks at it. */
export const fundPanel = (panel: {
  get(): z.output<FundShape>
  take(knob: (typeof FUND_NAMES)[CountingKnob]): boolean
}): BillPanel => ({
  get() {
    const knobs = panel.get()
    return {
      billLate: knobs.fundLate,
      billEmpty: knobs.fundEmpty,
      billTruncated: knobs.fundTruncated,
      billCorrupt: knobs.fundCorrupt,
      billBomb: knobs.fundBomb,
      billLinkExpired: knobs.fundLinkExpired,
      billReissued: knobs.fundReissued,
      billMissingLine: knobs.fundMissingLine,
      billDuplicateLine: knobs.fundDuplicateLine,
      billWrongAmount: knobs.fundWrongAmount,
      billExtraLine: knobs.fundExtraLine,
    }
  },
  take: (knob) => panel.take(FUND_NAMES[knob]),
})

/** How a vendor's rows are changed. */
export interface RowShape<Row> {
  /** The merchant's number of the payment or the refund. */
  numberOf(row: Row): string
  /** The same row with so many fen more. */
  withAmount(row: Row, moreFen: number): Row
  /** A payment that never happened. */
  extra(number: string, fen: number): Row
}

/** The rows with what the panel plants among them. The bill stays sound in itself: its sums are of its rows. */
export function plantInto<Row>(
  rows: readonly Row[],
  knobs: BillKnobs,
  { numberOf, withAmount, extra }: RowShape<Row>,
): readonly Row[] {
  const planted = rows
    .filter((row) => numberOf(row) !== knobs.billMissingLine)
    .map((row) => withAmount(row, knobs.billWrongAmount[numberOf(row)] ?? 0))
  const twice = planted.filter((row) => numberOf(row) === knobs.billDuplicateLine)
  const more = Object.entries(knobs.billExtraLine).map(([number, fen]) => extra(number, fen))
  return [...planted, ...twice, ...more]
}
