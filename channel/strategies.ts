import type { Strategies } from './registry.ts'
import { wechatPay } from './wechat-pay/index.ts'

/** Every strategy that a stored account can name. A new vendor is one folder and one line here. */
export const strategies: Strategies = {
  'wechat-pay': wechatPay,
}
