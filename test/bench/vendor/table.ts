import { alipay } from './alipay.ts'
import { pingpp } from './pingpp.ts'
import { unionpay } from './unionpay.ts'
import { someVendor } from './vendor.ts'
import type { SomeVendor } from './vendor.ts'
import { wechatPay } from './wechat-pay.ts'

/** Every vendor, by the name of its channel. */
export const VENDORS: Readonly<Record<string, SomeVendor>> = {
  wechat_pay: someVendor(wechatPay),
  alipay: someVendor(alipay),
  unionpay: someVendor(unionpay),
  pingpp: someVendor(pingpp),
}

export function findVendor(name: string): SomeVendor {
  const vendor = Object.hasOwn(VENDORS, name) ? VENDORS[name] : undefined
  if (vendor === undefined) {
    throw new Error(`expected one of ${Object.keys(VENDORS).join(', ')}, got ${name}`)
  }
  return vendor
}
