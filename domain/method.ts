/** What the customer pays with, in our words. Each vendor maps it to a product of its own. */
export type Method = 'qr' | 'page' | 'wap' | 'h5' | 'jsapi' | 'mini_program' | 'app'

export const METHODS: readonly Method[] = [
  'qr',
  'page',
  'wap',
  'h5',
  'jsapi',
  'mini_program',
  'app',
]

/** Whose wallet pays, where one channel reaches several (an aggregator). Named like the direct channels. */
export type Wallet = 'alipay' | 'wechat_pay' | 'unionpay'

export const WALLETS: readonly Wallet[] = ['alipay', 'wechat_pay', 'unionpay']

/** What the shop's page or app must do next (design, section 5). */
export type NextAction =
  | {
      readonly type: 'form'
      readonly action: string
      readonly fields: Readonly<Record<string, string>>
    }
  | { readonly type: 'redirect'; readonly url: string }
  | { readonly type: 'qr_code'; readonly content: string }
  | { readonly type: 'sdk'; readonly params: Readonly<Record<string, string>> }
