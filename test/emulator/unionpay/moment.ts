import { chinaDigits, parseChinaDateTime } from '../core/china-time.ts'

const HOUR_MS = 3600 * 1000

/** Reads `yyyyMMddHHmmss` in China's offset. `undefined`: no such moment. */
export function parseMoment(text: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)
  if (parts === null) return undefined
  const [, year, month, day, hour, minute, second] = parts
  return parseChinaDateTime(`${year}-${month}-${day} ${hour}:${minute}:${second}`)
}

/** `MMddHHmmss`, without a year. */
export const traceTimeOf = (moment: Date): string => chinaDigits(moment).slice(4)

/** The vendor's day ends at 23:00: `yyyyMMdd` (dossier 4.2). */
export const clearingDayOf = (moment: Date): string =>
  chinaDigits(new Date(moment.getTime() + HOUR_MS)).slice(0, 8)
