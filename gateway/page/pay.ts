import { html } from 'hono/html'
import type { PaymentRow } from '#db/payment'
import type { NextAction } from '#domain/method'
import { formatYuan } from '#domain/money'
import { unreachable } from '#domain/assert'
import type { Html, Page } from './layout.ts'

export interface Visit {
  readonly payment: PaymentRow
  readonly userAgent: string
  readonly now: Date
}

/** What the customer sees at `/pay/{id}`. */
export function payPage(visit: Visit): Page {
  const { payment } = visit
  const amount = formatYuan({ currency: payment.currency, minor: payment.amount })
  const body = html`<p class="subject">${payment.subject}</p>
    <p class="amount">¥${amount} <small>${payment.currency}</small></p>
    ${standing(visit)}`
  const action = isOpen(visit) ? payment.next_action : null
  return {
    title: `付款 · Payment ¥${amount}`,
    body,
    ...(isWaiting(payment) ? { script: SCRIPT } : {}),
    ...(action?.type === 'form' ? { formAction: action.action } : {}),
  }
}

export const missingPage: Page = {
  title: '没有此付款 · No such payment',
  body: html`<p class="stop">没有此付款，请回到商家页面。</p>
    <p>There is no such payment. Please go back to the shop.</p>`,
}

const isWaiting = ({ state }: PaymentRow): boolean => state === 'created' || state === 'pending'

const isOpen = ({ payment, now }: Visit): boolean =>
  isWaiting(payment) && payment.expires_at.getTime() > now.getTime()

function standing(visit: Visit): Html {
  const { payment } = visit
  switch (payment.state) {
    case 'paid':
      return html`<p class="done">已付款</p>
        <p>Paid. You can close this page.</p>`
    case 'closed':
      return html`<p class="stop">已关闭，请勿付款。</p>
        <p class="stop">Closed. Do not pay.</p>`
    case 'created':
    case 'pending':
      return isOpen(visit) ? waiting(visit) : expired(payment)
    default:
      return unreachable(payment.state)
  }
}

/** A payment made in the last second still arrives, so the page goes on listening. */
const expired = (payment: PaymentRow): Html =>
  html`<div id="payment" data-id="${payment.id}" data-state="${payment.state}"></div>
    <p class="stop">已过期，请勿付款。</p>
    <p class="stop">Expired. Do not pay.</p>
    <p>若您已付款，结果会显示在这里。 If you have paid, the result appears here.</p>`

function waiting({ payment, userAgent, now }: Visit): Html {
  // A remaining time, no moment: the customer's clock may be wrong.
  const remainingMs = payment.expires_at.getTime() - now.getTime()
  return html`${instruction(payment, userAgent)}
    <p
      id="payment"
      data-id="${payment.id}"
      data-state="${payment.state}"
      data-remaining-ms="${remainingMs.toString()}"
    >
      待付款 Waiting for payment · 剩余 time left
      <span id="countdown">${formatRemaining(remainingMs)}</span>
    </p>`
}

const formatRemaining = (ms: number): string => {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toString().padStart(2, '0')}`
}

function instruction(payment: PaymentRow, userAgent: string): Html {
  const action = payment.next_action
  if (action === null) return html`<p>正在准备，请稍候。 Getting ready, please wait.</p>`
  const isInWechat = /MicroMessenger/i.test(userAgent)
  switch (action.type) {
    case 'qr_code':
      return showCode(payment, isInWechat)
    case 'redirect':
      return showLink(action.url, isInWechat)
    case 'form':
      return showForm(action)
    case 'sdk':
      return html`<p>请在商家的 App 或微信中打开付款。</p>
        <p>Open this payment in the shop's app or in WeChat.</p>`
    default:
      return unreachable(action)
  }
}

const showCode = (payment: PaymentRow, isInWechat: boolean): Html =>
  html`<img class="qr" src="../v1/payments/${payment.id}/qr.svg" alt="付款码 Payment code" /> ${
      isInWechat
        ? html`<p>
              在微信中须用相机扫描此码，长按识别不能付款。请在另一台设备上显示此码，再用“扫一扫”。
            </p>
            <p>In WeChat this code must be scanned with the camera: show it on another device.</p>`
        : html`<p>请用付款 App 扫描此码。</p>
            <p>Scan this code with your payment app.</p>`
    }`

/** Only web addresses become links: a vendor's answer must not run a script on our page. */
const isWeb = (address: string): boolean =>
  URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)

function showLink(address: string, isInWechat: boolean): Html {
  if (!isWeb(address)) return unusable()
  return html`<p><a class="go" href="${address}" referrerpolicy="origin">去付款 Pay</a></p>
    ${isInWechat ? html`<p>若无法打开，请在浏览器中打开本页。 Or open this in a browser.</p>` : ''}`
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

/** The server draws every state; the script only counts down and asks for the page again. */
const SCRIPT = `
'use strict';
const RELOAD_MS = 10000;
const box = document.getElementById('payment');
const again = () => location.reload();
const left = Number(box.dataset.remainingMs);
if (left > 0) {
  const end = performance.now() + left;
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    document.getElementById('countdown').textContent =
      Math.floor(seconds / 60) + ':' + String(seconds % 60).padStart(2, '0');
    if (seconds === 0) { clearInterval(timer); setTimeout(again, 1000); }
  };
  const timer = setInterval(tick, 1000);
}
const source = new EventSource(box.dataset.id + '/events');
source.addEventListener('state', (event) => {
  if (JSON.parse(event.data).state === box.dataset.state) return;
  source.close();
  again();
});
source.addEventListener('error', () => {
  if (source.readyState === EventSource.CLOSED) setTimeout(again, RELOAD_MS);
});
`
