import { addMs } from './time.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Asia/Shanghai is eight hours ahead of UTC and has no daylight saving time. */
const OFFSET_MS = 8 * HOUR_MS

/**
 * The vendor's business day that a moment belongs to, `yyyy-mm-dd`.
 *
 * `endHour` is when the day ends in Asia/Shanghai: 24 at most vendors; 23 at UnionPay, where the last hour
 * belongs to the next day (payment rules, section 8). It does not depend on the zone of this machine.
 */
export function businessDateOf(at: Date, endHour: number): string {
  const shifted = addMs(at, OFFSET_MS + (24 - endHour) * HOUR_MS)
  return shifted.toISOString().slice(0, 10)
}

/** What dates a refund: the moment at which the vendor took it, or that at which the money had gone back. */
export type RefundMoment = 'sent' | 'succeeded'

/** The first moment of a business day and the first after it. */
export function boundsOf(
  businessDate: string,
  endHour: number,
): { readonly from: Date; readonly to: Date } {
  const midnight = new Date(`${businessDate}T00:00:00Z`)
  const from = addMs(midnight, -OFFSET_MS - (24 - endHour) * HOUR_MS)
  return { from, to: addMs(from, DAY_MS) }
}

/** The business date so many days later. */
export const addDays = (businessDate: string, days: number): string =>
  addMs(new Date(`${businessDate}T00:00:00Z`), days * DAY_MS)
    .toISOString()
    .slice(0, 10)

/** The moment at which the bill of a day can be asked for: minutes after the next midnight in Asia/Shanghai. */
export const availableAt = (businessDate: string, minute: number): Date =>
  addMs(new Date(`${businessDate}T00:00:00Z`), DAY_MS - OFFSET_MS + minute * 60_000)

/**
 * Business dates from the first up to the last whose bill can be asked for by now, the oldest first; at most
 * `daysMax` back.
 */
export function datesDue(
  first: string,
  now: Date,
  { availableAtMinute, daysMax }: { readonly availableAtMinute: number; readonly daysMax: number },
): readonly string[] {
  const today = businessDateOf(now, 24)
  const oldest = addDays(today, -daysMax)
  const dates: string[] = []
  for (let date = first > oldest ? first : oldest; date < today; date = addDays(date, 1)) {
    if (availableAt(date, availableAtMinute) <= now) dates.push(date)
  }
  return dates
}
