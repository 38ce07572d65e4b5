const CHINA_OFFSET_MS = 8 * 3600 * 1000

/** RFC 3339 in China's offset, whole seconds: `2018-06-08T10:34:56+08:00`. */
export const formatChinaTime = (moment: Date): string =>
  `${new Date(moment.getTime() + CHINA_OFFSET_MS).toISOString().slice(0, 19)}+08:00`

/** `20180608103456` in China's offset, as it stands in the vendor's ids. */
export const chinaDigits = (moment: Date): string =>
  formatChinaTime(moment).slice(0, 19).replace(/\D/g, '')
