import { alipay } from './alipay/index.ts'
import type { Strategies } from './registry.ts'
import { pingpp } from './pingpp/index.ts'
import { unionpay } from './unionpay/index.ts'
import { wechatPay } from './wechat-pay/index.ts'

/** Every strategy that a stored account can name. A new vendor is one folder and one line here. */
export const strategies: Strategies = {
  pingpp,
  unionpay,
  alipay,
  'wechat-pay': wechatPay,
}
