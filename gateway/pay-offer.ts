import type { Capabilities } from '#channel/channel'
import type { PaymentRow } from '#db/payment/payment'
import type { Method, Wallet } from '#domain/method'
import { WALLETS } from '#domain/method'
import type { Browser } from './browser.ts'

/** What a pay page can do in the browser that it is open in. */
export type Offer =
  | { readonly kind: 'as_created' }
  /** Another method of the same account suits this browser. */
  | { readonly kind: 'switch'; readonly method: Method }
  /** That method needs the payer's open id, which the shop did not pass. */
  | { readonly kind: 'payer_missing' }
  /** This wallet's browser cannot pay with another wallet. */
  | { readonly kind: 'elsewhere' }

/** The methods that a customer can finish in each browser, the best first. */
const FITTING: Readonly<Record<Wallet, Readonly<Record<Browser, readonly Method[]>>>> = {
  wechat_pay: { wechat: ['jsapi'], alipay: [], phone: ['h5'], desktop: ['qr'] },
  alipay: { wechat: [], alipay: ['wap', 'jsapi'], phone: ['wap'], desktop: ['qr', 'page'] },
  unionpay: { wechat: ['wap'], alipay: [], phone: ['wap'], desktop: ['page', 'qr'] },
}

/** Only the shop's own app or mini program can finish these. */
const OUTSIDE_BROWSERS: ReadonlySet<Method> = new Set(['app', 'mini_program'])

/** Chooses for a browser (design, section 5). `channel` is the account's; a wallet behind it wins. */
export function offerOf(
  payment: Pick<PaymentRow, 'method' | 'wallet' | 'payer_open_id'>,
  channel: string,
  capabilities: Capabilities,
  browser: Browser,
): Offer {
  const wallet = payment.wallet ?? WALLETS.find((name) => name === channel)
  if (wallet === undefined || OUTSIDE_BROWSERS.has(payment.method)) return { kind: 'as_created' }
  const fitting = FITTING[wallet][browser]
  if (fitting.includes(payment.method)) return { kind: 'as_created' }
  const offered = capabilities.wallets?.[wallet] ?? capabilities.methods
  return offerAnother(
    payment,
    fitting.find((method) => offered.includes(method)),
    browser,
  )
}

function offerAnother(
  payment: Pick<PaymentRow, 'payer_open_id'>,
  method: Method | undefined,
  browser: Browser,
): Offer {
  if (method === undefined) return { kind: isWallet(browser) ? 'elsewhere' : 'as_created' }
  return method === 'jsapi' && payment.payer_open_id === null
    ? { kind: 'payer_missing' }
    : { kind: 'switch', method }
}

const isWallet = (browser: Browser): boolean => browser === 'wechat' || browser === 'alipay'
