/** Where a pay page is open, as far as its user agent says; that is a hint and no more. */
export type Browser = 'wechat' | 'alipay' | 'phone' | 'desktop'

const MARKS: readonly (readonly [Browser, RegExp])[] = [
  ['wechat', /MicroMessenger/i],
  ['alipay', /AlipayClient/i],
  ['phone', /Mobi|Android|iPhone|iPad|HarmonyOS/i],
]

export const browserOf = (userAgent: string): Browser =>
  MARKS.find(([, mark]) => mark.test(userAgent))?.[0] ?? 'desktop'
