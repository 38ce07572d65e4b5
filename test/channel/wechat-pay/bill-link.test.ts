import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { BILL_LIMITS } from '#channel/bill'
import { downloadHttp } from '#channel/http'
import { bytesOf, sampleOf } from './bill-support.ts'
import {
  NEXT_DAY,
  expired,
  fetchBill,
  file,
  link,
  packed,
  plain,
  sha1,
  whole,
} from './bill-vendor.ts'
import { refusal, signed } from './vendor.ts'
import type { Heard, Reply } from './vendor.ts'

/** Answers to the first call that say nothing about the day. */
const DOUBTS: readonly (readonly [string, Reply])[] = [
  ['429', () => refusal(429, 'FREQUENCY_LIMITED')],
  ['429 with another code', () => refusal(429, 'NO_STATEMENT_EXIST')],
  ['500', () => refusal(500, 'SYSTEM_ERROR')],
  ['a page', () => new Response('<html>', { status: 502 })],
  ['an unknown code', () => refusal(400, 'NO_BILL')],
  ['no answer in time', () => new Promise<Response>(() => undefined)],
]

describe('unknown', () => {
  test.each(DOUBTS)('is what %s says: never empty, never refused (RC-01)', async (_name, reply) => {
    const { outcome } = await fetchBill(() => [reply, reply], { deps: { timeoutMs: 50 } })
    expect(outcome.kind).toBe('unknown')
  })

  test.each(['PARAM_ERROR', 'INVALID_REQUEST', 'NO_AUTH', 'SIGN_ERROR'])(
    'is not what %s says: that is for a person',
    async (code) => {
      const { outcome } = await fetchBill(() => [() => refusal(403, code, '无权限')])
      expect(outcome).toEqual({ kind: 'refused', code, message: '无权限' })
    },
  )

  test.each([
    ['no hash', { hash_value: undefined }],
    ['an empty hash', { hash_value: '' }],
    ['another kind of hash', { hash_type: 'MD5' }],
    ['no link', { download_url: undefined }],
    ['another host', { download_url: 'https://bill.example.com/v3/billdownload/file?token=x' }],
    [
      'a host that begins alike',
      { download_url: 'https://api.mch.weixin.qq.com.example.com/v3/x' },
    ],
    ['a host as a name', { download_url: 'https://api.mch.weixin.qq.com@example.com/v3/x' }],
    ['another scheme', { download_url: 'file:///etc/passwd' }],
    ['no address', { download_url: '/v3/billdownload/file' }],
  ])('RC-17: a link with %s is not followed', async (_name, changes) => {
    const { outcome, vendor, bytes } = await fetchBill((host) => [link(host, changes), file])
    expect(outcome.kind).toBe('unknown')
    expect(vendor.exchanges).toHaveLength(1)
    expect(bytes).toHaveLength(0)
  })

  test.each(['#x', '\t', '/../x'])(
    'a link that would be sent otherwise is not followed: %j',
    async (odd) => {
      const odder = (host: string) => [link(host, { download_url: `${host}/v3/file${odd}` }), file]
      expect((await fetchBill(odder)).outcome.kind).toBe('unknown')
    },
  )

  test('the vendor’s own hosts are two', async () => {
    const sent: string[] = []
    const fetch = (url: string) => {
      sent.push(url)
      const answer = { hash_type: 'SHA1', hash_value: sha1, download_url: `${BACKUP}/v3/x?token=1` }
      return Promise.resolve(
        sent.length === 1
          ? signed(200, JSON.stringify(answer), { seconds: NEXT_DAY })
          : file(HEARD),
      )
    }
    const { outcome } = await fetchBill(() => [], {
      settings: { base_url: 'https://api.mch.weixin.qq.com' },
      deps: { fetch: async (url) => await fetch(url) },
    })
    expect(outcome.kind).toBe('fetched')
    expect(sent[1]).toBe(`${BACKUP}/v3/x?token=1`)
  })
})

const BACKUP = 'https://api2.mch.weixin.qq.com'
const HEARD: Heard = { method: 'GET', target: '', headers: {}, body: '' }

describe('the file', () => {
  test('F110: an expired link is asked for again, once', async () => {
    const again = await fetchBill((host) => [link(host), expired, ...whole(host)])
    expect(again.outcome.kind).toBe('fetched')
    expect(again.vendor.heard).toHaveLength(4)
    expect(Buffer.from(again.bytes).equals(packed)).toBe(true)
    const twice = await fetchBill((host) => [
      link(host),
      expired,
      link(host),
      expired,
      ...whole(host),
    ])
    expect(twice.outcome.kind).toBe('unknown')
    expect(twice.vendor.heard).toHaveLength(4)
    expect(twice.bytes).toHaveLength(0)
  })

  test.each([
    [401, 'SIGN_ERROR'],
    [403, 'NO_AUTH'],
  ])('status %p %s is for a person', async (status, code) => {
    const { outcome } = await fetchBill((host) => [link(host), () => refusal(status, code)])
    expect(outcome).toMatchObject({ kind: 'refused', code })
  })

  test.each<readonly [string, Reply]>([
    ['500', () => refusal(500, 'SYSTEM_ERROR')],
    ['404 without a word', () => new Response(null, { status: 404 })],
    ['nothing', () => new Response(null)],
    ['a page', () => new Response('<html>')],
    ['plain text instead of gzip', () => new Response(Uint8Array.from(plain))],
    ['F111: half of it', () => new Response(packed.subarray(0, packed.length / 2))],
    ['F111: all but one byte', () => new Response(packed.subarray(0, -1))],
    [
      'F112: a changed byte',
      () => new Response(packed.map((byte, index) => (index === 300 ? byte ^ 1 : byte))),
    ],
    ['RC-04: another bill', () => new Response(gzipSync(bytesOf(sampleOf('SUCCESS').lines)))],
    ['more behind it', () => new Response(Buffer.concat([packed, Buffer.from('more')]))],
    ['a redirect', () => Response.redirect('http://127.0.0.1:1/x')],
    ['F115: a bomb', () => new Response(gzipSync(Buffer.alloc(32 * 1024 * 1024)))],
  ])('%s is unknown, to be asked for again', async (_name, reply) => {
    const { outcome } = await fetchBill((host) => [link(host), reply])
    expect(outcome.kind).toBe('unknown')
  })

  test('F115: a bomb with the right hash is no bill either', async () => {
    const zeros = Buffer.alloc(32 * 1024 * 1024)
    const hash = createHash('sha1').update(zeros).digest('hex')
    const bomb: Reply = () => new Response(gzipSync(zeros))
    const { outcome } = await fetchBill((host) => [link(host, { hash_value: hash }), bomb])
    expect(outcome).toMatchObject({ kind: 'unknown', cause: expect.stringContaining('bomb') })
    expect(zeros.length / gzipSync(zeros).length).toBeGreaterThan(BILL_LIMITS.ratioMax)
  })

  test('a sink that is full ends the fetch', async () => {
    const { outcome } = await fetchBill(whole, { room: 10 })
    expect(outcome).toEqual({ kind: 'unknown', cause: 'expected fewer bytes' })
  })
})

test('F114: no piece of a download is kept until its end', async () => {
  const pieces: WeakRef<Uint8Array>[] = []
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pieces.length === 40) return controller.close()
      const piece = new Uint8Array(64 * 1024)
      pieces.push(new WeakRef(piece))
      controller.enqueue(piece)
    },
  })
  let alive = 0
  const outcome = await downloadHttp(
    {
      clock: { now: () => new Date(0) },
      fetch: () => Promise.resolve(new Response(body)),
      localHosts: [],
      record: () => undefined,
      timeoutMs: 60_000,
      responseBytesMax: 1024,
    },
    { kind: 'bill', method: 'GET', url: 'https://api.mch.weixin.qq.com/v3/x', headers: {} },
    async () => {
      // A turn of its own: what was handed over before may go.
      await new Promise((resolve) => setImmediate(resolve))
      Bun.gc(true)
      alive = pieces.filter((piece) => piece.deref() !== undefined).length
      return true
    },
  )
  expect(outcome).toMatchObject({ kind: 'done', bytes: 40 * 64 * 1024 })
  expect(alive).toBeLessThan(10)
}, 30_000)
