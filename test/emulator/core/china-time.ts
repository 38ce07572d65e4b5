const CHINA_OFFSET_MS = 8 * 3600 * 1000

/** RFC 3339 in China's offset, whole seconds: `2018-06-08T10:34:56+08:00`. */
export const formatChinaTime = (moment: Date): string =>
  `${new Date(moment.getTime() + CHINA_OFFSET_MS).toISOString().slice(0, 19)}+08:00`

/** `2018-06-08 10:34:56` in China, without a zone. */
export const formatChinaDateTime = (moment: Date): string =>
  formatChinaTime(moment).slice(0, 19).replace('T', ' ')

/** `20180608103456` in China's offset, as it stands in the vendors' ids. */
export const chinaDigits = (moment: Date): string =>
  formatChinaTime(moment).slice(0, 19).replace(/\D/g, '')

/** The inverse of `formatChinaDateTime`. `undefined`: no such date, or another form. */
export function parseChinaDateTime(text: string): Date | undefined {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text)) return undefined
  const moment = new Date(`${text.replace(' ', 'T')}+08:00`)
  return Number.isNaN(moment.getTime()) || formatChinaDateTime(moment) !== text ? undefined : moment
}
