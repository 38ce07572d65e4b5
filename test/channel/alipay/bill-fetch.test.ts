import { describe, expect, test } from 'bun:test'
import { BILL_API } from '#channel/alipay/wire-bill'
import { accountZip } from './bill-support.ts'
import { QUERY, expired, fetchBill, file, link, raw, whole } from './bill-vendor.ts'
import { otherPem } from './support.ts'
import { answer, done, html, nodeName } from './vendor.ts'
import type { Reply } from './vendor.ts'

describe('a bill is fetched', () => {
  test('alipay checklist 62: at once, with exactly the documented call, and as it was sent', async () => {
    const { outcome, vendor, bytes } = await fetchBill(whole)
    expect(outcome).toEqual({
      kind: 'fetched',
      headers: { 'content-type': 'application/octet-stream' },
    })
    expect(Buffer.from(bytes).equals(raw)).toBe(true)
    const [asked, followed] = vendor.heard
    expect(asked?.api).toBe(BILL_API)
    expect(asked?.body['biz_content']).toBe('{"bill_type":"trade","bill_date":"2026-01-30"}')
    expect(asked?.query['sign']).toBeTruthy()
    expect(followed?.query['token']).toBe('0123456789abcdef')
    expect(vendor.heard).toHaveLength(2)
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['bill', 'bill'])
  })

  test('of the account, under its own type', async () => {
    const account = Uint8Array.from(accountZip())
    const both = (host: string) => [link(host), () => new Response(account)]
    const { outcome, vendor } = await fetchBill(both, { kind: 'fund' })
    expect(outcome.kind).toBe('fetched')
    expect(vendor.heard[0]?.body['biz_content']).toBe(
      '{"bill_type":"signcustomer","bill_date":"2026-01-30"}',
    )
  })

  test.each([
    ['plain', (url: string) => url],
    ['with escaped slashes', (url: string) => url.replaceAll('/', '\\/')],
    ['with escaped ampersands', (url: string) => url.replaceAll('&', '\\u0026')],
  ])('alipay checklist 62: its link is not logged: %s', async (_name, written) => {
    const odd = (host: string): Reply => {
      const url = written(`${host}/downloadBillFile.resource?${QUERY}`)
      return ({ api }) =>
        answer(nodeName(api), `{"code":"10000","msg":"Success","bill_download_url":"${url}"}`)
    }
    const { outcome, vendor } = await fetchBill((host) => [odd(host), file])
    expect(outcome.kind).toBe('fetched')
    const log = JSON.stringify(vendor.exchanges)
    expect(log).not.toContain('0123456789abcdef')
    expect(log).not.toContain('20260130.csv.zip')
    expect(vendor.exchanges[1]).toMatchObject({
      url: `http://${vendor.host}/downloadBillFile.resource`,
      responseBody: `${raw.length} bytes`,
    })
  })

  test.each([
    ['another host', 'https://bill.example.com/downloadBillFile.resource?token=x'],
    ['a host that begins alike', 'https://dwbillcenter.alipay.com.example.com/x'],
    ['a host that ends alike', 'https://xdwbillcenter.alipay.com/x'],
    ['a host as a name', 'https://dwbillcenter.alipay.com@example.com/x'],
    ['a name and a password', 'https://a:b@dwbillcenter.alipay.com/x'],
    ['another port', 'https://dwbillcenter.alipay.com:8443/x'],
    ['another scheme', 'file:///etc/passwd'],
    ['an inside address', 'http://169.254.169.254/latest'],
    ['no address', '/downloadBillFile.resource'],
    ['nothing', ''],
  ])('alipay checklist 62, RC-17: a link to %s is not followed', async (_name, url) => {
    const { outcome, vendor, bytes } = await fetchBill((host) => [
      link(host, { bill_download_url: url }),
      file,
    ])
    expect(outcome.kind).toBe('unknown')
    expect(vendor.exchanges).toHaveLength(1)
    expect(bytes).toHaveLength(0)
  })

  test('alipay checklist 62: the vendor’s plain http becomes https', async () => {
    const sent: string[] = []
    const url = `http://dwbillcenter.alipay.com/downloadBillFile.resource?${QUERY}`
    const replies: Reply[] = [done({ bill_download_url: url }), file]
    const { outcome } = await fetchBill(() => [], {
      settings: { gateway_url: 'https://openapi.alipay.com/gateway.do' },
      deps: {
        fetch: async (to) => {
          sent.push(to)
          const heard = { query: {}, body: {}, headers: {}, api: BILL_API }
          return (await replies.shift()?.(heard)) ?? new Response(null, { status: 500 })
        },
      },
    })
    expect(outcome.kind).toBe('fetched')
    expect(sent[1]).toBe(url.replace('http:', 'https:'))
  })

  test('RC-17: the file needs no signature, the link does', async () => {
    const url = { bill_download_url: 'http://127.0.0.1:1/x' }
    const node = JSON.stringify({ code: '10000', ...url })
    const forged: readonly Reply[] = [
      ({ api }) => html(`{"${nodeName(api)}":${node}}`),
      ({ api }) => answer(nodeName(api), node, { pem: otherPem }),
    ]
    for (const reply of forged) {
      const { outcome, vendor } = await fetchBill(() => [reply, file])
      expect(outcome.kind).toBe('unknown')
      expect(vendor.heard).toHaveLength(1)
    }
  })
})

describe('the file', () => {
  test.each<readonly [string, Reply]>([
    ['a page', expired],
    ['403', () => new Response('expired', { status: 403 })],
    ['404 without a word', () => new Response(null, { status: 404 })],
    ['nothing', () => new Response(null)],
    ['two letters', () => new Response('PK')],
    ['a redirect', () => Response.redirect('http://127.0.0.1:1/x')],
  ])(
    'F110: %s instead of it may be a link that expired: asked for again, once',
    async (_name, old) => {
      const again = await fetchBill((host) => [link(host), old, ...whole(host)])
      expect(again.outcome.kind).toBe('fetched')
      expect(Buffer.from(again.bytes).equals(raw)).toBe(true)
      const twice = await fetchBill((host) => [link(host), old, link(host), old, ...whole(host)])
      expect(twice.outcome.kind).toBe('unknown')
      expect(twice.vendor.heard).toHaveLength(4)
      expect(twice.bytes).toHaveLength(0)
    },
  )

  test.each<readonly [string, Reply]>([
    ['500', () => new Response('PK', { status: 500 })],
    ['F111: half of it', () => new Response(raw.slice(0, raw.length / 2))],
    ['F111: all but one byte', () => new Response(raw.slice(0, -1))],
    ['F111: a connection that breaks', () => broken()],
    ['more behind it', () => new Response(Buffer.concat([raw, Buffer.from('more')]))],
  ])('%s is unknown, to be asked for again', async (_name, reply) => {
    const { outcome } = await fetchBill((host) => [link(host), reply])
    expect(outcome.kind).toBe('unknown')
  })

  test('comes in pieces of any size', async () => {
    const single = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of raw) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    const { outcome, bytes } = await fetchBill((host) => [link(host), () => new Response(single)])
    expect(outcome.kind).toBe('fetched')
    expect(Buffer.from(bytes).equals(raw)).toBe(true)
  })

  test('is not more than the sink holds', async () => {
    const { outcome } = await fetchBill(whole, { room: 10 })
    expect(outcome).toEqual({ kind: 'unknown', cause: 'expected fewer bytes' })
  })
})

function broken(): Response {
  let isBegun = false
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!isBegun) {
        isBegun = true
        return controller.enqueue(raw.slice(0, 100))
      }
      await new Promise((resolve) => setImmediate(resolve))
      controller.error()
    },
  })
  return new Response(body)
}
