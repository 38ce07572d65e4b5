import { html } from 'hono/html'
import type { PaymentRow } from '#db/payment/payment'
import type { PaymentId } from '#domain/id'
import type { NextAction } from '#domain/method'
import { formatYuan } from '#domain/money'
import { unreachable } from '#domain/assert'
import type { Browser } from '../browser.ts'
import type { Offer } from '../pay-offer.ts'
import { isPayable, isWaiting } from '../payable.ts'
import type { Html, Page } from './layout.ts'
import { BRIDGE, SCRIPT } from './script.ts'

export interface Visit {
  readonly payment: PaymentRow
  readonly browser: Browser
  readonly offer: Offer
  /** The page of the attempt that has taken this one's place. */
  readonly successor?: PaymentId
  readonly now: Date
}

/** What the customer sees at `/pay/{id}`. */
export function payPage(visit: Visit): Page {
  const { payment } = visit
  const amount = formatYuan({ currency: payment.currency, minor: payment.amount })
  const body = html`<p class="subject">${payment.subject}</p>
    <p class="amount">¥${amount} <small>${payment.currency}</small></p>
    ${standing(visit)}`
  const isOffered = isPayable(payment, visit.now) && visit.successor === undefined
  const action = isOffered ? payment.next_action : null
  return {
    title: `付款 · Payment ¥${amount}`,
    body,
    hasOwnForm: isWaiting(payment),
    ...(isWaiting(payment) ? { script: action?.type === 'sdk' ? SCRIPT + BRIDGE : SCRIPT } : {}),
    ...(action?.type === 'form' ? { formAction: action.action } : {}),
  }
}

/** What the customer sees whose browser asked for another method in vain. */
export const refusedPage: Page = {
  title: '无法更换付款方式 · No other method',
  body: html`<p class="stop">暂时无法更换付款方式，请回到商家页面。</p>
    <p>The method cannot be changed now. Please go back to the shop.</p>`,
}

export const missingPage: Page = {
  title: '没有此付款 · No such payment',
  body: html`<p class="stop">没有此付款，请回到商家页面。</p>
    <p>There is no such payment. Please go back to the shop.</p>`,
}

function standing(visit: Visit): Html {
  const { payment } = visit
  switch (payment.state) {
    case 'paid':
      return html`<p class="done">已付款</p>
        <p>Paid. You can close this page.</p>
        ${backToShop(payment)}`
    case 'closed':
      return html`<p class="stop">已关闭，请勿付款。</p>
        <p class="stop">Closed. Do not pay.</p>`
    case 'created':
    case 'pending':
      if (visit.successor !== undefined) return replaced(payment, visit.successor)
      return isPayable(payment, visit.now) ? waiting(visit) : expired(payment)
    default:
      return unreachable(payment.state)
  }
}

const backToShop = ({ return_url: address }: PaymentRow): Html | '' =>
  address === null || !isWeb(address)
    ? ''
    : html`<p><a class="go" href="${address}">返回商家 Back to the shop</a></p>`

/** The order is paid on another page; showing both codes would take the money twice. */
const replaced = (payment: PaymentRow, successor: PaymentId): Html =>
  html`<div id="payment" data-id="${payment.id}" data-state="${payment.state}"></div>
    <p class="stop">已更换付款方式，请勿在此付款。</p>
    <p class="stop">Replaced by another payment. Do not pay here.</p>
    <p><a class="go" href="${successor}">继续 Continue</a></p>
    ${iHavePaid(payment)}`

/** A payment made in the last second still arrives, so the page goes on listening. */
const expired = (payment: PaymentRow): Html =>
  html`<div id="payment" data-id="${payment.id}" data-state="${payment.state}"></div>
    <p class="stop">已过期，请勿付款。</p>
    <p class="stop">Expired. Do not pay.</p>
    <p>若您已付款，结果会显示在这里。 If you have paid, the result appears here.</p>
    ${iHavePaid(payment)}`

/** The vendor is asked; what the customer says proves nothing. */
const iHavePaid = (payment: PaymentRow): Html =>
  html`<form method="post" action="${payment.id}/query">
    <button class="ask" type="submit">我已付款 I have paid</button>
  </form>`

function waiting(visit: Visit): Html {
  const { payment, now } = visit
  // A remaining time, no moment: the customer's clock may be wrong.
  const remainingMs = payment.expires_at.getTime() - now.getTime()
  return html`${suggestion(visit)} ${instruction(visit)}
    <p
      id="payment"
      data-id="${payment.id}"
      data-state="${payment.state}"
      data-remaining-ms="${remainingMs.toString()}"
    >
      待付款 Waiting for payment · 剩余 time left
      <span id="countdown">${formatRemaining(remainingMs)}</span>
    </p>
    ${iHavePaid(payment)}`
}

const formatRemaining = (ms: number): string => {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toString().padStart(2, '0')}`
}

/** What this browser is told before the payment itself. */
function suggestion({ payment, offer, browser }: Visit): Html | '' {
  switch (offer.kind) {
    case 'as_created':
      return ''
    case 'switch':
      return html`<form method="post" action="${payment.id}/method">
        <button class="go" type="submit">在此浏览器付款 Pay in this browser</button>
      </form>`
    case 'payer_missing':
      return html`<p>请从商家在${APPS[browser]}中的页面发起付款，或用浏览器打开本页。</p>
        <p>Start from the shop's page in this app, or open this page in a browser.</p>`
    case 'elsewhere':
      return html`<p>${APPS[browser]}不能完成此付款，请用浏览器打开本页。</p>
        <p>This app cannot pay here: open this page in a browser or in the right wallet.</p>`
    default:
      return unreachable(offer)
  }
}

const APPS: Readonly<Record<Browser, string>> = {
  wechat: '微信',
  alipay: '支付宝',
  phone: '浏览器',
  desktop: '浏览器',
}

function instruction({ payment, browser, offer }: Visit): Html | '' {
  const action = payment.next_action
  if (action === null) return html`<p>正在准备，请稍候。 Getting ready, please wait.</p>`
  if (offer.kind === 'elsewhere') return ''
  switch (action.type) {
    case 'qr_code':
      return showCode(payment, browser)
    case 'redirect':
      return showLink(action.url, browser)
    case 'form':
      return showForm(action)
    case 'sdk':
      return showSdk(payment, action.params, browser)
    default:
      return unreachable(action)
  }
}

const showCode = (payment: PaymentRow, browser: Browser): Html =>
  html`<img class="qr" src="../v1/payments/${payment.id}/qr.svg" alt="付款码 Payment code" /> ${
      browser === 'wechat'
        ? html`<p>
              在微信中须用相机扫描此码，长按识别不能付款。请在另一台设备上显示此码，再用“扫一扫”。
            </p>
            <p>In WeChat this code must be scanned with the camera: show it on another device.</p>`
        : html`<p>请用付款 App 扫描此码。</p>
            <p>Scan this code with your payment app.</p>`
    }`

/** A wallet's browser takes the parameters itself; anywhere else only the shop's app can. */
const showSdk = (
  { method }: PaymentRow,
  params: Readonly<Record<string, string>>,
  browser: Browser,
): Html =>
  method === 'jsapi' && (browser === 'wechat' || browser === 'alipay')
    ? html`<button
        class="go"
        id="bridge"
        data-app="${browser}"
        data-params="${JSON.stringify(params)}"
      >
        立即付款 Pay now
      </button>`
    : html`<p>请在商家的 App 或微信、支付宝中打开付款。</p>
        <p>Open this payment in the shop's app, in WeChat or in Alipay.</p>`

/** Only web addresses become links: a vendor's answer must not run a script on our page. */
const isWeb = (address: string): boolean =>
  URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)

function showLink(address: string, browser: Browser): Html {
  if (!isWeb(address)) return unusable()
  return html`<p><a class="go" href="${address}" referrerpolicy="origin">去付款 Pay</a></p>
    ${browser === 'wechat' ? html`<p>若无法打开，请在浏览器中打开本页。 Or open this in a browser.</p>` : ''}`
}

function showForm(action: Extract<NextAction, { type: 'form' }>): Html {
  if (!isWeb(action.action)) return unusable()
  const fields = Object.entries(action.fields)
  return html`<form method="post" action="${action.action}" accept-charset="utf-8">
    ${fields.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}
    <button class="go" type="submit">去付款 Pay</button>
  </form>`
}

const unusable = (): Html =>
  html`<p class="stop">此付款无法在网页上打开，请回到商家页面。</p>
    <p>This payment cannot be opened on a page. Please go back to the shop.</p>`
