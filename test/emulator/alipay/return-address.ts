import { formatChinaDateTime } from '../core/china-time.ts'
import { encodeForm } from './form.ts'
import { parseCharset } from './charset.ts'
import type { NoticeField } from './notice.ts'
import { noticeText, signText } from './signature.ts'
import type { Trade } from './trade.ts'
import { formatYuan } from './yuan.ts'

/**
 * Where the buyer's browser goes after the payment, signed by the notice's rule (dossier 2.7).
 *
 * `undefined`: the merchant named no address. There is no state in it: it proves nothing but a visit.
 */
export function returnAddress(trade: Trade, privatePem: string, now: Date): string | undefined {
  const { offer, tradeNo } = trade
  if (offer.returnUrl === undefined) return undefined
  const charset = parseCharset(offer.charset) ?? 'utf-8'
  const fields: NoticeField[] = [
    ['charset', offer.charset],
    ['out_trade_no', offer.outTradeNo],
    ['method', `alipay.trade.${offer.product}.pay.return`],
    ['total_amount', formatYuan(offer.totalFen)],
    ['trade_no', tradeNo],
    ['auth_app_id', offer.appId],
    ['version', '1.0'],
    ['app_id', offer.appId],
    ['seller_id', offer.sellerId],
    ['timestamp', formatChinaDateTime(now)],
  ]
  const sign = signText(privatePem, noticeText(new Map(fields)), { charset, signType: 'RSA2' })
  const query = encodeForm([...fields, ['sign_type', 'RSA2'], ['sign', sign]], charset)
  return `${offer.returnUrl}${offer.returnUrl.includes('?') ? '&' : '?'}${query}`
}
