import { html } from 'hono/html'
import type { Page } from './layout.ts'

/**
 * What a customer sees who comes back from a vendor. It promises nothing, and takes nobody for a payer: who gave
 * up at the vendor comes back here as well, and only a callback or a query tells them apart.
 */
export const returnPage = (payUrl: string | undefined): Page => ({
  title: '正在确认 · Confirming',
  body: html`<p>若您已付款，我们正在确认，请勿重复付款。</p>
    <p>If you have paid, we are confirming it. Do not pay again.</p>
    ${
      payUrl === undefined
        ? backToShop()
        : html`<p>若您尚未付款，可在付款页继续付款。</p>
            <p>If you have not, you can go on at the payment page.</p>
            <p><a class="go" href="${payUrl}">查看结果 See the result</a></p>`
    }`,
})

const backToShop = () => html`<p>请回到商家页面查看结果。 The shop's page shows the result.</p>`
