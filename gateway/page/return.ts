import { html } from 'hono/html'
import type { Page } from './layout.ts'

/** What a customer sees who comes back from a vendor. It promises nothing: only a callback or query does. */
export const returnPage = (payUrl: string | undefined): Page => ({
  title: '正在确认 · Confirming',
  body: html`<p>您的银行或付款 App 表示已付款，我们正在确认。</p>
    <p>Your bank says paid, we are confirming.</p>
    <p>请勿重复付款。 Do not pay again.</p>
    ${
      payUrl === undefined
        ? ''
        : html`<p><a class="go" href="${payUrl}">查看结果 See the result</a></p>`
    }`,
})
