import { encodeForm } from './form.ts'
import type { PaymentForm } from './buyer.ts'
import type { TestAnswer, TestMerchant } from './merchant.ts'
import { sale } from './merchant.ts'

export const PAGE = { product_code: 'FAST_INSTANT_TRADE_PAY' } as const
export const WAP = { product_code: 'QUICK_WAP_WAY' } as const

/** The business code of an answer, or the code of a success. */
export async function subCodeOf(call: Promise<TestAnswer>): Promise<unknown> {
  const { node } = await call
  return node['sub_code'] ?? node['code']
}

/** The calls of the tests about states, by order number. */
export function callsOf(merchant: TestMerchant) {
  const byNumber = (method: string) => (number: string) =>
    merchant.call(method, { out_trade_no: number })
  return {
    query: byNumber('alipay.trade.query'),
    close: byNumber('alipay.trade.close'),
    cancel: byNumber('alipay.trade.cancel'),
    create: (number: string, changes: Record<string, unknown> = {}) =>
      merchant.call('alipay.trade.create', sale(number, { buyer_open_id: 'open', ...changes }), {
        parameters: { notify_url: merchant.notifyUrl },
      }),
    precreate: (number: string, changes: Record<string, unknown> = {}) =>
      merchant.call('alipay.trade.precreate', sale(number, changes), {
        parameters: { notify_url: merchant.notifyUrl },
      }),
    refund: (number: string, amount: string, requestNo: string) =>
      merchant.call('alipay.trade.refund', {
        out_trade_no: number,
        refund_amount: amount,
        out_request_no: requestNo,
      }),
    queryRefund: (number: string, requestNo: string) =>
      merchant.call('alipay.trade.fastpay.refund.query', {
        out_trade_no: number,
        out_request_no: requestNo,
      }),
  }
}

/** What a browser would submit for a signed order. */
export function formOf(
  merchant: TestMerchant,
  method: string,
  { biz, returnUrl }: { readonly biz: unknown; readonly returnUrl?: string },
): PaymentForm {
  const parameters = merchant.sign(method, biz, { parameters: { return_url: returnUrl } })
  const content = parameters.get('biz_content') ?? ''
  parameters.delete('biz_content')
  const action = `${merchant.emulator.gatewayUrl}?${encodeForm(parameters, 'utf-8')}`
  return { action, fields: { biz_content: content } }
}
