/**
 * A vendor's own count and sum of a day's payments, told by a message and not by its bill.
 *
 * Texts, as facts are stored; amounts are fen.
 */
export type DailySummary = Readonly<Record<'number' | 'businessDate' | 'count' | 'minor', string>>

/**
 * The identity of the message about one merchant number's day: a second one that says something else is kept
 * beside the first, for a person.
 */
export const summaryKey = (number: string, businessDate: string): string =>
  `summary:${number}:${businessDate}`
