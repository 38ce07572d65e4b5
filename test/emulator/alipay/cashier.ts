import type { ApiRequest } from '../core/server.ts'
import type { Problem } from './answer.ts'
import { encode } from './charset.ts'
import type { AlipayVendor } from './vendor.ts'
import { formatYuan } from './yuan.ts'

export const CASHIER = '/cashier/'

const HTML = { 'Content-Type': 'text/html; charset=utf-8' } as const

const page = (title: string, content: string, status = 200): Response =>
  new Response(`<!doctype html><meta charset="utf-8"><title>${title}</title>${content}`, {
    status,
    headers: HTML,
  })

const escape = (text: string): string => Bun.escapeHTML(text)

/** The cashier of an order: log in, pay or leave. */
export function cashierPage(vendor: AlipayVendor, outTradeNo: string): Response {
  const offer = vendor.book.findOffer(outTradeNo)
  if (offer === undefined) return page('Cashier', '<p>No such order.</p>', 404)
  const button = (action: string, text: string): string =>
    `<form method="post" action="${CASHIER}${outTradeNo}/${action}"><button>${text}</button></form>`
  const state = vendor.book.find(outTradeNo)?.state ?? 'not logged in'
  return page(
    'Emulated Alipay cashier',
    `<h1>${escape(offer.subject)}</h1><p>${formatYuan(offer.totalFen)} yuan, ${state}</p>` +
      button('login', 'Log in') +
      button('pay', 'Pay') +
      (offer.quitUrl === undefined ? '' : button('quit', 'Leave')),
  )
}

/** What the buyer's browser asks of the cashier. */
export function answerCashier(vendor: AlipayVendor, request: ApiRequest): Response {
  const [outTradeNo = '', action] = request.path.slice(CASHIER.length).split('/')
  if (request.method === 'GET' && action === undefined) return cashierPage(vendor, outTradeNo)
  if (request.method !== 'POST') return page('Cashier', '<p>No such page.</p>', 404)
  switch (action ?? '') {
    case 'login':
      vendor.enter(outTradeNo)
      return redirect(CASHIER + outTradeNo)
    case 'pay':
      return payAtCashier(vendor, outTradeNo)
    case 'quit':
      return redirect(vendor.book.findOffer(outTradeNo)?.quitUrl ?? CASHIER + outTradeNo)
    default:
      return page('Cashier', '<p>No such page.</p>', 404)
  }
}

function payAtCashier(vendor: AlipayVendor, outTradeNo: string): Response {
  const result = vendor.pay(outTradeNo)
  if (result.kind === 'refused') return page('Cashier', `<p>Refused: ${result.reason}.</p>`, 409)
  const back = vendor.returnAddress(outTradeNo)
  return back === undefined ? page('Cashier', '<p>Paid.</p>') : redirect(back)
}

const redirect = (address: string): Response =>
  new Response(null, { status: 302, headers: { Location: address } })

/** What the buyer sees when the merchant's request is wrong (dossier 1.5): the merchant hears nothing. */
export const debugPage = ({ subCode, subMessage }: Problem): Response =>
  new Response(
    encode(
      `<html><head><title>调试错误</title></head><body><h1>调试错误，请回到请求来源地，重新发起请求。</h1>` +
        `<p>错误代码 ${escape(subCode.replace(/^isv\./, ''))}</p><p>${escape(subMessage)}</p></body></html>`,
      'gbk',
    ),
    { headers: { 'Content-Type': 'text/html;charset=GBK' } },
  )
