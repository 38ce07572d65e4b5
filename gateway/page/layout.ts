import { html, raw } from 'hono/html'

/** A piece of HTML in which every value is escaped already. */
export type Html = ReturnType<typeof html>

export interface Page {
  readonly title: string
  readonly body: Html
  /** Our own text, never a value of a payment: it is written as it is. */
  readonly script?: string
  /** Where a vendor's form of the page leads. */
  readonly formAction?: string
  /** Whether a form of the page leads to ourselves. */
  readonly hasOwnForm?: boolean
}

const NONCE_BYTES = 16
const ORIGIN = /^https?:\/\/[a-z0-9.:-]+$/i

/** A page for a customer. It asks no other host for anything, and no other site can frame it. */
export async function renderPage(page: Page, status = 200): Promise<Response> {
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(NONCE_BYTES))).toString('base64')
  const text = await html`<!doctype html>
    <html lang="zh-CN">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${page.title}</title>
        <style nonce="${nonce}">
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>${page.body}</main>
        ${page.script === undefined ? '' : scriptElement(nonce, page.script)}
      </body>
    </html>`
  return new Response(text.toString(), { status, headers: headersOf(page, nonce) })
}

const scriptElement = (nonce: string, script: string): Html =>
  html`<script nonce="${nonce}">
    ${raw(script)}
  </script>`

const headersOf = (page: Page, nonce: string): Record<string, string> => ({
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  // WeChat Pay H5 admits customers by the referring host; the path with the payment's id is ours alone.
  'referrer-policy': 'origin',
  'content-security-policy': [
    "default-src 'none'",
    "img-src 'self'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    `form-action ${formSources(page)}`,
  ].join('; '),
})

/** Vendors lead a form on to hosts of their own, and browsers hold those against the policy, too. */
function formSources({ formAction = '', hasOwnForm = false }: Page): string {
  const origin = URL.canParse(formAction) ? new URL(formAction).origin : ''
  const sources = [
    ...(hasOwnForm ? ["'self'"] : []),
    ...(ORIGIN.test(origin) ? ['https:', origin] : []),
  ]
  return sources.length === 0 ? "'none'" : sources.join(' ')
}

const STYLE = `
body{margin:0;background:#f4f5f7;color:#1c1f23;font:16px/1.5 system-ui,sans-serif}
main{max-width:26rem;margin:2rem auto;padding:1.5rem;background:#fff;border-radius:12px;text-align:center}
.amount{font-size:2.25rem;font-weight:600;margin:.25rem 0}
.subject{overflow-wrap:anywhere;color:#555}
.qr{width:100%;max-width:16rem;background:#fff}
.stop{color:#b42318;font-weight:600}
.done{color:#067647;font-weight:600}
.ask{border:0;background:none;color:#1558d6;font:inherit;text-decoration:underline}
.go{display:inline-block;border:0;padding:.75rem 1.5rem;border-radius:8px;background:#1558d6;color:#fff;font:inherit;text-decoration:none}
`
