import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { addMs } from '#domain/time'
import { parsePaymentId } from '#domain/id'
import { browserOf } from '#gateway/browser'
import { payPage } from '#gateway/page/pay'
import { renderPage } from '#gateway/page/layout'
import { findPaymentById } from '#db/payment/payment-page'
import type { PaymentRow } from '#db/payment/payment'
import { startPlatform } from '../../support/platform.ts'
import type { Platform } from '../../support/platform.ts'
import { cloneDatabase } from '../../support/postgres.ts'
import type { TestDatabase } from '../../support/postgres.ts'
import { createShop } from '../../support/shop.ts'
import { waitFor } from '../../support/wait.ts'
import { decodeMatrix, readPng, readSvg } from './image.ts'

const TIMEOUT_MS = 40_000
const MISSING = `p${'0'.repeat(25)}`
const WECHAT = 'Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.50'

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url })
  shop = createShop(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const get = (path: string, userAgent = 'Firefox'): Promise<Response> =>
  fetch(`${platform.gateway.url}${path}`, { headers: { 'user-agent': userAgent } })

async function rowOf(id: string): Promise<PaymentRow> {
  const paymentId = parsePaymentId(id)
  const row = paymentId === undefined ? undefined : await findPaymentById(platform.db, paymentId)
  if (row === undefined) throw new Error(`no payment ${id}`)
  return row
}

/** The page of a payment that differs from a real one. */
async function draw(row: PaymentRow, at = row.created_at, userAgent = ''): Promise<Response> {
  const browser = browserOf(userAgent)
  return renderPage(payPage({ payment: row, browser, offer: { kind: 'as_created' }, now: at }))
}

describe('the code as an image', () => {
  test('SVG and PNG decode to the content that the vendor gave', async () => {
    const payment = await shop.buy({ method: 'qr' })
    const content = payment.next_action?.['content']
    expect(content).toStartWith('weixin://')
    const svg = await get(`/v1/payments/${payment.id}/qr.svg`)
    expect(svg.headers.get('content-type')).toBe('image/svg+xml')
    expect(decodeMatrix(readSvg(await svg.text()), 6)).toBe(String(content))
    const png = await get(`/v1/payments/${payment.id}/qr.png`)
    expect(png.headers.get('content-type')).toBe('image/png')
    const pixels = readPng(Buffer.from(await png.arrayBuffer()))
    expect(decodeMatrix(pixels, 1)).toBe(String(content))
  })

  test.each(['svg', 'png'])('there is no %s without a code', async (kind) => {
    const payment = await shop.buy({ method: 'jsapi' })
    for (const id of [payment.id, MISSING, 'x']) {
      expect((await get(`/v1/payments/${id}/qr.${kind}`)).status).toBe(404)
    }
  })
})

describe('the pay page', () => {
  test('shows amount, subject, code and countdown, and loads nothing from elsewhere', async () => {
    const payment = await shop.buy({ amount: 1999 })
    const response = await get(`/pay/${payment.id}`)
    const text = await response.text()
    expect(response.status).toBe(200)
    for (const part of ['¥19.99', 'Demo tea set', `${payment.id}/qr.svg`, 'data-remaining-ms="']) {
      expect(text).toContain(part)
    }
    expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; img-src 'self'; style-src 'nonce-")
    expect(policy).toContain("connect-src 'self'")
    expect(policy).not.toContain('unsafe')
    const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] ?? ''
    expect(nonce.length).toBeGreaterThan(20)
    expect(text).toContain(`<script nonce="${nonce}">`)
    expect(text).toContain(`<style nonce="${nonce}">`)
  })

  test('has a new nonce each time', async () => {
    const { id } = await shop.buy()
    const policies = await Promise.all([get(`/pay/${id}`), get(`/pay/${id}`)])
    const [one, two] = policies.map(({ headers }) => headers.get('content-security-policy'))
    expect(one).not.toBe(two)
  })

  test('says in WeChat that a code must be scanned, and elsewhere does not', async () => {
    const { id } = await shop.buy()
    expect(await (await get(`/pay/${id}`, WECHAT)).text()).toContain('must be scanned')
    expect(await (await get(`/pay/${id}`)).text()).not.toContain('must be scanned')
  })

  test('links a redirect and tells the vendor our origin, never the path', async () => {
    const payment = await shop.buy({ method: 'h5' })
    const response = await get(`/pay/${payment.id}`)
    expect(response.headers.get('referrer-policy')).toBe('origin')
    const link = String(payment.next_action?.['url']).replaceAll('&', '&amp;')
    expect(await response.text()).toContain(`href="${link}"`)
  })

  test.each(['jsapi', 'mini_program', 'app'])('sends %s to the app', async (method) => {
    const { id } = await shop.buy({ method })
    expect(await (await get(`/pay/${id}`)).text()).toContain(
      "in the shop's app, in WeChat or in Alipay",
    )
  })

  test('shows paid and closed without a code', async () => {
    const row = await rowOf((await shop.buy()).id)
    const paid = await (await draw({ ...row, state: 'paid' })).text()
    expect(paid).toContain('Paid.')
    const closed = await (await draw({ ...row, state: 'closed' })).text()
    expect(closed).toContain('Do not pay')
    for (const text of [paid, closed]) expect(text).not.toMatch(/qr\.svg|<script/)
  })

  test('says "do not pay" from the moment it expires, and goes on listening', async () => {
    const row = await rowOf((await shop.buy()).id)
    const expired = await (await draw(row, row.expires_at)).text()
    expect(expired).toContain('Expired. Do not pay.')
    expect(expired).not.toContain('qr.svg')
    expect(expired).toContain('EventSource')
    const before = await (await draw(row, addMs(row.expires_at, -1))).text()
    expect(before).toContain('qr.svg')
  })

  test('a page that does not exist is a page, too', async () => {
    for (const id of [MISSING, '%3Cscript%3E']) {
      const response = await get(`/pay/${id}`)
      expect(response.status).toBe(404)
      expect(response.headers.get('content-type')).toContain('text/html')
    }
  })
})

describe('hostile values', () => {
  const attack = `"><img src=x onerror=alert(1)>'</title><script>alert(1)</script>`

  test('a subject and a user agent are text', async () => {
    const row = await rowOf((await shop.buy()).id)
    const text = await (await draw({ ...row, subject: attack }, row.created_at, attack)).text()
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;')
    expect(text).not.toMatch(/<img src=x|<script>/)
  })

  test('a form keeps its fields as text and leads where it says', async () => {
    const row = await rowOf((await shop.buy()).id)
    const action = 'https://bank.example/pay?a=1&b=2'
    const next_action = { type: 'form', action, fields: { [attack]: attack } } as const
    const response = await draw({ ...row, next_action })
    const text = await response.text()
    expect(text).toContain('action="https://bank.example/pay?a=1&amp;b=2"')
    expect(text).not.toMatch(/<img src=x|<script>/)
    expect(response.headers.get('content-security-policy')).toEndWith(
      "form-action 'self' https: https://bank.example",
    )
  })

  test.each(['javascript:alert(1)', 'data:text/html,x', '//evil.example', 'no address'])(
    '%s becomes neither link nor form',
    async (url) => {
      const row = await rowOf((await shop.buy()).id)
      const link = await draw({ ...row, next_action: { type: 'redirect', url } })
      expect(await link.text()).not.toContain('<a ')
      const form = await draw({ ...row, next_action: { type: 'form', action: url, fields: {} } })
      expect(await form.text()).not.toMatch(/<form (?!method="post" action="p\w{25}\/query">)/)
      expect(form.headers.get('content-security-policy')).toEndWith("form-action 'self'")
    },
  )
})

test('the script of the page is a script', async () => {
  const { id } = await shop.buy()
  const text = await (await get(`/pay/${id}`)).text()
  const script = /<script nonce="[^"]+">([\s\S]+)<\/script>/.exec(text)?.[1] ?? ''
  expect(script).toContain('EventSource')
  expect(() => new Bun.Transpiler({ loader: 'js' }).transformSync(script)).not.toThrow()
})

describe('the events of a pay page', () => {
  test(
    'tell pending, then paid, and end',
    async () => {
      const { id } = await shop.buy()
      const response = await get(`/pay/${id}/events`)
      expect(response.headers.get('content-type')).toContain('text/event-stream')
      const all = response.text()
      platform.emulator.pay(id)
      const text = await all
      const states = [...text.matchAll(/^event: state\ndata: (.+)$/gm)].map(([, data]) => data)
      expect(states).toEqual(['{"state":"pending"}', '{"state":"paid"}'])
      const after = await (await get(`/pay/${id}/events`)).text()
      expect(after).toBe('event: state\ndata: {"state":"paid"}\n\n')
    },
    TIMEOUT_MS,
  )

  test(
    'keep a quiet line open with comments, at most four lines a payment, freed when pages leave',
    async () => {
      const { id } = await shop.buy()
      const leave = new AbortController()
      const open = () => fetch(`${platform.gateway.url}/pay/${id}/events`, { signal: leave.signal })
      const lines = await Promise.all([open(), open(), open(), open()])
      expect(lines.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect((await open()).status).toBe(503)
      expect(await readUntil(lines[0], ': waiting')).toContain('"pending"')
      leave.abort()
      const last = new AbortController()
      await waitFor('a free line', async () => {
        const again = await fetch(`${platform.gateway.url}/pay/${id}/events`, {
          signal: last.signal,
        })
        return again.status === 200 ? again : undefined
      })
      last.abort()
    },
    TIMEOUT_MS,
  )

  test('there are none of a payment that does not exist', async () => {
    expect((await get(`/pay/${MISSING}/events`)).status).toBe(404)
  })
})

async function readUntil(response: Response | undefined, part: string): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  const reader = response?.body?.getReader()
  while (reader !== undefined && !text.includes(part)) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
  }
  if (!text.includes(part)) throw new Error(`the stream ended without ${part}: ${text}`)
  return text
}
