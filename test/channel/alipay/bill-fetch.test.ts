import { describe, expect, test } from 'bun:test'
import type { BillFetch, BillKind } from '#channel/bill'
import { BILL_API } from '#channel/alipay/wire-bill'
import type { ChannelSetup } from '../support.ts'
import { accountZip, partOf, tradeZip } from './bill-support.ts'
import { otherPem } from './support.ts'
import { answer, done, html, nodeName, refusal, startVendor, unsigned } from './vendor.ts'
import type { Reply, TinyVendor } from './vendor.ts'

const NEXT_DAY = new Date('2026-01-31T10:30:00+08:00')
const QUERY =
  'bizType=trade&fileId=%2Ftrade%2F20260130.csv.zip&timestamp=1769826600&token=0123456789abcdef'
const raw = Uint8Array.from(tradeZip())

interface Fetched {
  readonly outcome: BillFetch
  readonly vendor: TinyVendor
  readonly bytes: Uint8Array
}

interface How extends ChannelSetup {
  readonly kind?: BillKind
  readonly date?: string
  /** How many bytes the sink holds. */
  readonly room?: number
}

const noReply: Reply = () => new Response('asked too often', { status: 500 })

/** Lets the channel fetch from a vendor that answers in this order. */
async function fetchBill(
  replies: (host: string) => readonly Reply[],
  { kind = 'transaction', date = '2026-01-30', room = Infinity, ...setup }: How = {},
): Promise<Fetched> {
  const turns: Reply[] = []
  await using vendor = startVendor([(heard) => (turns.shift() ?? noReply)(heard)], {
    at: NEXT_DAY,
    ...setup,
  })
  turns.push(...replies(`http://${vendor.host}`))
  const chunks: Uint8Array[] = []
  const write = (chunk: Uint8Array) => {
    chunks.push(Uint8Array.from(chunk))
    return Promise.resolve(chunks.reduce((sum, { length }) => sum + length, 0) <= room)
  }
  const outcome = await partOf(vendor).fetch({ businessDate: date, kind }, { write }, vendor.record)
  return { outcome, vendor, bytes: Buffer.concat(chunks) }
}

const link = (host: string, changes: Readonly<Record<string, unknown>> = {}): Reply =>
  done({ bill_download_url: `${host}/downloadBillFile.resource?${QUERY}`, ...changes })

const file: Reply = () =>
  new Response(raw, { headers: { 'content-type': 'application/octet-stream' } })
const whole = (host: string): readonly Reply[] => [link(host), file]
const expired: Reply = () => html('<html>链接已失效</html>')

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

describe('alipay checklist 68: "bill does not exist"', () => {
  const NONE = ['isp.bill_not_exist', 'BILL_NOT_EXIST', 'NO_BILL_DATA', 'aop.ACQ.NO_BILL_DATA']

  test.each(
    NONE.flatMap((code) => [
      [code, '2026-01-31T09:59:59+08:00', 'not_ready'] as const,
      [code, '2026-01-31T10:00:00+08:00', 'empty'] as const,
      [code, '2026-02-15T00:00:00+08:00', 'empty'] as const,
    ]),
  )('RC-01, RC-02, F109, alipay checklist 68: %s at %s is %s', async (code, moment, kind) => {
    const { outcome } = await fetchBill(() => [refusal('40004', code)], { at: new Date(moment) })
    expect(outcome.kind).toBe(kind)
  })

  test('alipay checklist 68: a file that is said to be empty is no business either', async () => {
    const empty = (host: string) => [link(host, { bill_file_code: 'EMPTY_DATA_WITH_BILL_FILE' })]
    expect((await fetchBill(empty)).outcome).toEqual({
      kind: 'empty',
      code: 'EMPTY_DATA_WITH_BILL_FILE',
    })
    const early = new Date('2026-01-31T09:30:00+08:00')
    expect((await fetchBill(empty, { at: early })).outcome.kind).toBe('not_ready')
  })

  test('alipay checklist 68: is asked for from 9:30 of Beijing, and every hour', () => {
    expect(partOf()).toMatchObject({
      kinds: ['transaction', 'fund'],
      dayEndHour: 24,
      availableAtMinute: 570,
      retrySeconds: 3600,
    })
  })
})

describe('a refusal', () => {
  test.each([
    ['40004', 'BILL_DATE_BEFORE_REGISTRATION'],
    ['40004', 'isp.type_not_supported'],
    ['40004', 'INVAILID_ARGUMENTS'],
    ['40002', 'isv.invalid-parameter'],
    ['40006', 'isv.insufficient-isv-permissions'],
    ['20001', 'aop.invalid-app-auth-token'],
  ])('%s %s is for a person', async (code, subCode) => {
    const { outcome } = await fetchBill(() => [refusal(code, subCode)])
    expect(outcome).toEqual({ kind: 'refused', code: subCode, message: '失败' })
  })

  test.each<readonly [string, Reply]>([
    ['a limit of the system', refusal('40004', 'SYSTEM_RATE_LIMIT')],
    ['a limit of the user', refusal('40004', 'isp.USER_RATE_LIMIT')],
    ['a limit of the app', refusal('40005', 'isv.app-call-limited')],
    ['trouble', refusal('20000', 'isp.unknow-error')],
    ['trouble under another code', refusal('40004', 'isp.unknow-error')],
    ['a code that nobody knows', refusal('40004', 'NEW_CODE')],
    ['a refusal that nobody signed', unsigned('40006', 'isv.insufficient-isv-permissions')],
    ['"does not exist" that nobody signed', unsigned('40004', 'isp.bill_not_exist')],
    ['a page', () => html('<html>', 502)],
    ['no answer in time', () => new Promise<Response>(() => undefined)],
  ])('RC-01: %s is unknown, never empty and never refused', async (_name, reply) => {
    const { outcome } = await fetchBill(() => [reply], { deps: { timeoutMs: 50 } })
    expect(outcome.kind).toBe('unknown')
  })
})

describe('alipay checklist 69: the date', () => {
  test.each([
    ['2026-01-31', '2026-01-31T23:59:59+08:00'],
    ['2026-02-01', '2026-01-31T23:59:59+08:00'],
    ['2026-01', '2026-01-31T23:59:59+08:00'],
    ['2015-12-31', '2026-01-31T12:00:00+08:00'],
    ['2015-12', '2026-01-31T12:00:00+08:00'],
    ['2026-1-30', '2026-01-31T12:00:00+08:00'],
    ['20260130', '2026-01-31T12:00:00+08:00'],
    ['2025', '2026-01-31T12:00:00+08:00'],
    ['', '2026-01-31T12:00:00+08:00'],
  ])('alipay checklist 69: %p is refused at %s, without asking', async (date, moment) => {
    const { outcome, vendor } = await fetchBill(whole, { date, at: new Date(moment) })
    expect(outcome).toMatchObject({ kind: 'refused', code: 'BILL_DATE' })
    expect(vendor.heard).toEqual([])
  })

  test.each([
    ['2026-01-30', '2026-01-31T00:00:00+08:00'],
    ['2016-01-01', '2026-01-31T12:00:00+08:00'],
    ['2026-01', '2026-02-01T00:00:00+08:00'],
    ['2016-01', '2026-01-31T12:00:00+08:00'],
  ])('RC-12, alipay checklist 69: %s is asked for at %s', async (date, moment) => {
    const { outcome, vendor } = await fetchBill(whole, { date, at: new Date(moment) })
    expect(outcome.kind).toBe('fetched')
    expect(vendor.heard[0]?.body['biz_content']).toContain(`"bill_date":"${date}"`)
  })

  test('of a month: none is never the last word, because its day is not known', async () => {
    const at = new Date('2026-02-02T12:00:00+08:00')
    const none = () => [refusal('40004', 'isp.bill_not_exist')]
    expect((await fetchBill(none, { date: '2026-01', at })).outcome.kind).toBe('not_ready')
  })
})
