import { describe, expect, test } from 'bun:test'
import { isAllowedUrl } from '#channel/host'
import { sendHttp } from '#channel/http'
import type { Exchange, Fetch, HttpOptions } from '#channel/http'
import { hangingUp } from './hanging-up.ts'

const clock = { now: () => new Date(0) }

async function send(
  handler: (request: Request) => Response | Promise<Response>,
  changes: Partial<HttpOptions> & { readonly path?: string } = {},
) {
  const exchanges: Exchange[] = []
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: handler })
  const host = `127.0.0.1:${server.port}`
  const outcome = await sendHttp(
    {
      clock,
      fetch,
      localHosts: [host],
      record: (exchange) => exchanges.push(exchange),
      timeoutMs: 2000,
      responseBytesMax: 1000,
      ...changes,
    },
    {
      kind: 'create',
      method: 'POST',
      url: `http://${host}${changes.path ?? '/'}`,
      headers: { authorization: 'WECHATPAY2-SHA256-RSA2048 signature="s3cret"' },
      body: Uint8Array.from(Buffer.from('{"openid":"oUpF8","total":1}')),
    },
  )
  await server.stop(true)
  return { outcome, exchanges }
}

const dripping = (): Response =>
  new Response(
    new ReadableStream({
      async pull(controller) {
        await Bun.sleep(5)
        controller.enqueue(Buffer.from('x'))
      },
    }),
  )

describe('sendHttp', () => {
  test('answers with the status, lower-case headers and the bytes', async () => {
    const { outcome } = await send(
      () => new Response('支付', { status: 201, headers: { 'X-Id': '1' } }),
    )
    expect(outcome).toMatchObject({ kind: 'answered', status: 201, headers: { 'x-id': '1' } })
    expect(outcome.kind === 'answered' && Buffer.from(outcome.body).toString()).toBe('支付')
  })

  test('an empty answer has no bytes', async () => {
    const { outcome } = await send(() => new Response(null, { status: 204 }))
    expect(outcome).toMatchObject({ kind: 'answered', status: 204, body: new Uint8Array() })
  })

  test('stops reading above the limit', async () => {
    expect((await send(() => new Response('x'.repeat(1000)))).outcome.kind).toBe('answered')
    const { outcome, exchanges } = await send(() => new Response('x'.repeat(1001)))
    expect(outcome).toEqual({ kind: 'no_answer', cause: 'too_large' })
    expect(exchanges[0]).toMatchObject({ error: 'too_large', responseBody: '' })
  })

  test('the time-out is absolute: a vendor that drips bytes does not extend it', async () => {
    const { outcome } = await send(dripping, { timeoutMs: 100, responseBytesMax: 1_000_000 })
    expect(outcome).toEqual({ kind: 'no_answer', cause: 'timeout' })
  })

  test('a fetch that ignores its signal is not waited for', async () => {
    const deaf: Fetch = () => Promise.withResolvers<Response>().promise
    const { outcome } = await send(() => new Response(''), { timeoutMs: 20, fetch: deaf })
    expect(outcome).toEqual({ kind: 'no_answer', cause: 'timeout' })
  })

  test('does not follow redirects', async () => {
    let requests = 0
    const { outcome } = await send(() => {
      requests += 1
      return new Response('', { status: 302, headers: { location: '/elsewhere' } })
    })
    expect(outcome).toMatchObject({ kind: 'answered', status: 302 })
    expect(requests).toBe(1)
  })

  test.each([
    ['ECONNREFUSED', 'connection'],
    ['ENOTFOUND', 'connection'],
    ['ECONNRESET', 'cut'],
    ['EPROTO', 'cut'],
  ])('%s is a failed %s, recorded with its code only', async (code, cause) => {
    const { outcome, exchanges } = await send(() => new Response(''), {
      fetch: () => Promise.reject(Object.assign(new Error('http://10.0.0.1/secret'), { code })),
    })
    expect(outcome).toMatchObject({ kind: 'no_answer', cause })
    expect(exchanges[0]?.error).toBe(`${cause}: ${code}`)
  })

  test('a closed port is a failed connection', async () => {
    const nowhere: Fetch = (_url, init) => fetch('http://127.0.0.1:1/', init)
    const { outcome } = await send(() => new Response(''), { fetch: nowhere })
    expect(outcome).toEqual({ kind: 'no_answer', cause: 'connection' })
  })

  test.each([
    ['before the first byte of its answer', ''],
    ['in the middle of its answer', 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"co'],
  ])('a vendor that hangs up %s may have acted', async (_when, start) => {
    await using vendor = hangingUp(start)
    const { outcome } = await send(() => new Response(''), {
      fetch: (_url, init) => fetch(`http://${vendor.host}/`, init),
    })
    expect(outcome).toMatchObject({ kind: 'no_answer', cause: 'cut' })
  })

  test('a host that is not allowed is never called, and that is recorded', async () => {
    let requests = 0
    const { outcome, exchanges } = await send(
      () => {
        requests += 1
        return new Response('')
      },
      { localHosts: [] },
    )
    expect(outcome).toEqual({ kind: 'no_answer', cause: 'host_refused' })
    expect(exchanges[0]).toMatchObject({ error: 'host_refused' })
    expect(requests).toBe(0)
  })

  test('records the exchange without Authorization and without the payer', async () => {
    const { exchanges } = await send(
      () => new Response('{"payer":{"openid":"oUpF8"},"code":"X"}'),
      {
        path: '/a?openid=oUpF8&b=1',
      },
    )
    const text = JSON.stringify(exchanges)
    expect(exchanges).toHaveLength(1)
    expect(exchanges[0]?.requestBody).toBe('{"openid":"[redacted]","total":1}')
    expect(exchanges[0]?.url).toContain('?openid=[redacted]&b=1')
    expect(text).not.toContain('s3cret')
    expect(text).not.toContain('oUpF8')
  })
})

describe('hosts', () => {
  test.each([
    ['https://api.mch.weixin.qq.com/v3', true],
    ['http://api.mch.weixin.qq.com/v3', false],
    ['https://localhost/', false],
    ['https://vendor.internal/', false],
    ['https://db/', false],
    ['https://127.0.0.1/', false],
    ['https://2130706433/', false],
    ['https://0x7f.1/', false],
    ['https://10.1.2.3/', false],
    ['https://172.20.0.1/', false],
    ['https://172.32.0.1/', true],
    ['https://192.168.1.1/', false],
    ['https://169.254.169.254/', false],
    ['https://100.64.0.1/', false],
    ['https://[::1]/', false],
    ['https://user:password@api.mch.weixin.qq.com/', false],
    ['file:///etc/passwd', false],
    ['', false],
  ])('%s is allowed: %p', (url, isAllowed) => {
    expect(isAllowedUrl(url, [])).toBe(isAllowed)
  })

  test('a local host is named with its port', () => {
    expect(isAllowedUrl('http://127.0.0.1:8080/', ['127.0.0.1:8080'])).toBe(true)
    expect(isAllowedUrl('http://127.0.0.1:8081/', ['127.0.0.1:8080'])).toBe(false)
    expect(isAllowedUrl('http://localhost/', ['localhost:80'])).toBe(true)
    expect(isAllowedUrl('ftp://127.0.0.1:8080/', ['127.0.0.1:8080'])).toBe(false)
  })
})
