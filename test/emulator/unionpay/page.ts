import type { Charset } from './charset.ts'
import { encodeText } from './charset.ts'
import type { PostForm } from './vendor.ts'

/** What a buyer can do at the cashier page: the `name=action` buttons of its form. */
export const BUYER_ACTIONS = ['pay', 'wait', 'fail', 'cancel'] as const

export type BuyerAction = (typeof BUYER_ACTIONS)[number]

const LABELS: Readonly<Record<BuyerAction, string>> = {
  pay: '确认付款',
  wait: '付款但银行处理中',
  fail: '付款失败',
  cancel: '取消',
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** The cashier page: what is to be paid, and the buttons. */
export function cashierPage(order: {
  readonly token: string
  readonly orderId: string
  readonly amount: string
}): Response {
  const buttons = BUYER_ACTIONS.map(
    (action) => `<button name="action" value="${action}">${LABELS[action]}</button>`,
  )
  const path = `/gateway/cashier/${order.token}`
  return page(
    '银联在线支付（模拟）',
    `<p>订单号 ${escapeHtml(order.orderId)}，金额 ${escapeHtml(order.amount)} 分</p>` +
      `<form method="post" action="${path}">${buttons.join(' ')}</form>`,
  )
}

/** The end of a visit, with the way back to the merchant if there is one. */
export function resultPage(
  text: string,
  back?: { readonly form: PostForm; readonly charset: Charset; readonly isAutomatic: boolean },
): Response {
  return page(text, `<p id="result">${escapeHtml(text)}</p>${back === undefined ? '' : form(back)}`)
}

/** What the payer sees of an error in the merchant's request. */
export const errorPage = (code: string, text: string): Response =>
  page('错误', `<p id="error" data-code="${escapeHtml(code)}">${escapeHtml(text)}</p>`)

/** Every value is escaped: a certificate has line breaks, `riskRateInfo` may have quotes. */
function form({
  form: { action, fields },
  charset,
  isAutomatic,
}: {
  readonly form: PostForm
  readonly charset: Charset
  readonly isAutomatic: boolean
}): string {
  const inputs = Object.entries(fields).map(
    ([name, value]) =>
      `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  )
  const script = isAutomatic ? '<script>document.getElementById("back").submit()</script>' : ''
  return (
    `<form id="back" method="post" accept-charset="${charset}" action="${escapeHtml(action)}">` +
    `${inputs.join('')}<button>返回商户</button></form>${script}`
  )
}

const page = (title: string, body: string): Response =>
  new Response(
    encodeText(
      `<!doctype html><meta charset="utf-8"><title>${escapeHtml(title)}</title>${body}`,
      'UTF-8',
    ),
    { headers: { 'Content-Type': 'text/html; charset=utf-8' } },
  )

const escapeHtml = (text: string): string =>
  text
    .replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)
    .replaceAll('\r', '&#13;')
    .replaceAll('\n', '&#10;')
