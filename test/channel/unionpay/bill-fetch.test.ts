import { describe, expect, test } from 'bun:test'
import { createPublicKey, verify } from 'node:crypto'
import type { BillFetch, BillKind } from '#channel/bill'
import type { ChannelSetup } from '../support.ts'
import { publicOf } from '../support.ts'
import { brokenBy } from '../bill-file.ts'
import { businessDate, content, fixture, partOf, readFile } from './bill-support.ts'
import {
  buildChannel,
  certId,
  merchantPem,
  merId,
  rawOf,
  sha256,
  signedBy,
  textOf,
} from './support.ts'
import type { Message } from './support.ts'
import { answering, startVendor } from './vendor.ts'
import type { Reply, TinyVendor } from './vendor.ts'

/** Half past nine of the next day in Beijing. */
const NEXT_DAY = new Date('2026-03-15T09:30:00+08:00')

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

async function fetchBill(reply: Reply, how: How = {}): Promise<Fetched> {
  const { kind = 'transaction', date = businessDate, room = Infinity, ...setup } = how
  await using vendor = startVendor([reply], { at: NEXT_DAY, ...setup })
  const chunks: Uint8Array[] = []
  const write = (chunk: Uint8Array) => {
    if (chunk.length > room) return Promise.resolve(false)
    chunks.push(Uint8Array.from(chunk))
    return Promise.resolve(true)
  }
  const outcome = await partOf(vendor).fetch({ businessDate: date, kind }, { write }, vendor.record)
  return { outcome, vendor, bytes: Buffer.concat(chunks) }
}

const fileName = `${merId}_20260314.zip`
const FILE: Message = {
  respCode: '00',
  respMsg: '成功[0000000]',
  settleDate: '0314',
  fileName,
  fileContent: fixture.fileContent,
}
const file = (changes: Message = {}): Reply => answering({ ...FILE, ...changes })
const code = (respCode: string): Reply => answering({ respCode, respMsg: '文件不存在' })

describe('a bill is fetched', () => {
  test('as the vendor signed it, out of base64 and no further', async () => {
    const { outcome, bytes } = await fetchBill(file())
    expect(outcome).toEqual({ kind: 'fetched', headers: { 'file-name': fileName } })
    expect(Buffer.from(bytes).equals(content)).toBe(true)
    expect(await readFile(bytes)).toHaveLength(2)
  })

  test('unionpay checklist 38: with exactly the fields of a file request', async () => {
    const { vendor } = await fetchBill(file())
    const [heard] = vendor.heard
    expect(heard?.path).toBe('/')
    expect(heard?.headers['content-type']).toBe('application/x-www-form-urlencoded;charset=UTF-8')
    const { signature = '', ...fields } = heard?.fields ?? {}
    expect(fields).toEqual({
      version: '5.1.0',
      encoding: 'UTF-8',
      certId,
      signMethod: '01',
      txnType: '76',
      txnSubType: '01',
      bizType: '000000',
      accessType: '0',
      merId,
      settleDate: '0314',
      txnTime: '20260315093000',
      fileType: '00',
    })
    const digest = Buffer.from(sha256(textOf(fields)))
    const key = createPublicKey(publicOf(merchantPem))
    expect(verify('sha256', digest, key, Buffer.from(signature, 'base64'))).toBe(true)
  })

  test.each([
    ['live', {}, 'https://filedownload.95516.com/'],
    ['test', { environment: 'test' }, 'https://filedownload.test.95516.com/'],
    ['our own', { file_url: 'https://files.example.com' }, 'https://files.example.com/'],
  ])('from the host of files: %s', async (_name, settings, url) => {
    const asked: string[] = []
    const fetch = (target: string) => {
      asked.push(target)
      return Promise.resolve(new Response('', { status: 503 }))
    }
    const built = buildChannel({ at: NEXT_DAY, settings, deps: { fetch } })
    const sink = { write: () => Promise.resolve(true) }
    const request = { businessDate, kind: 'transaction' } as const
    expect((await partOf(built).fetch(request, sink, built.record)).kind).toBe('unknown')
    expect(asked).toEqual([url])
  })

  test('the log has neither a line of the bill nor a signature', async () => {
    const { vendor } = await fetchBill(file())
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['bill'])
    expect(vendor.exchanges[0]?.responseBody).toMatch(/^\d+ bytes$/)
    expect(vendor.exchanges[0]?.requestBody).toContain('settleDate=0314')
    const log = JSON.stringify(vendor.exchanges)
    expect(log).not.toContain(fixture.fileContent.slice(0, 20))
    expect(log).toContain('signature=[redacted]')
  })

  test('of more than a million characters, which is what the vendor publishes', async () => {
    const large = Buffer.alloc(1_500_000, content).toString('base64')
    const { outcome, bytes } = await fetchBill(file({ fileContent: large }))
    expect([outcome.kind, bytes.length]).toEqual(['fetched', 1_500_000])
  })

  test('a content that is no base64 is kept as it is, and no bill', async () => {
    for (const fileContent of ['not base64!', 'abc', `${fixture.fileContent.slice(0, -1)}*`]) {
      const { outcome, bytes } = await fetchBill(file({ fileContent }))
      expect([outcome.kind, Buffer.from(bytes).toString()]).toEqual(['fetched', fileContent])
      expect((await brokenBy(readFile(bytes))).message).toBe('expected zlib or zip')
    }
  })
})

describe('an answer that nobody may believe is as good as none', () => {
  const tampered =
    (from: string | RegExp, to: string): Reply =>
    async (heard) => {
      const text = await (await file()(heard)).text()
      return new Response(text.replace(from, to))
    }
  const other = fixture.fileContent.replace('eNoL', 'eNoM')

  const signedAs =
    (name: Parameters<typeof signedBy>[1]): Reply =>
    async (heard) => {
      const {
        signature: _,
        signPubKeyCert: __,
        ...fields
      } = Object.fromEntries(
        (await (await file()(heard)).text()).split('&').map((pair) => {
          const at = pair.indexOf('=')
          return [pair.slice(0, at), pair.slice(at + 1)]
        }),
      )
      return new Response(rawOf(signedBy(fields, name)))
    }

  test.each([
    ['a content that was not signed', tampered(fixture.fileContent, other), 'bad_signature'],
    ['a day that was not signed', tampered('=0314', '=0315'), 'bad_signature'],
    ['no signature', tampered(/&signature=[^&]*/, ''), 'field_missing'],
    ['no certificate', tampered(/&signPubKeyCert=[^&]*/, ''), 'field_missing'],
    ['a key of nobody', signedAs('selfSigned'), 'untrusted_certificate'],
    ['another key', signedAs('forged'), 'untrusted_certificate'],
    ['another day', file({ settleDate: '0313' }), 'another day’s'],
    ['no day', file({ settleDate: '' }), 'another day’s'],
    ['another time: an old answer again', file({ txnTime: '20260315092959' }), 'another order'],
    ['another merchant', file({ merId: '777290058110049' }), 'another order'],
    ['no file', file({ fileContent: '' }), 'holds no file'],
    ['no code', file({ respCode: '' }), 'no respCode'],
    ['a page', () => new Response('<html>welcome</html>'), 'no message'],
    ['502', () => new Response('bad gateway', { status: 502 }), 'status 502'],
    ['a genuine answer with 500', answering(FILE, { status: 500 }), 'status 500'],
    ['another host', () => Response.redirect('https://files.example.com/', 302), 'status 302'],
  ] as const)('%s', async (_name, reply, cause) => {
    const { outcome, bytes } = await fetchBill(reply)
    expect(outcome.kind).toBe('unknown')
    expect(JSON.stringify(outcome)).toContain(cause)
    expect(bytes).toHaveLength(0)
  })

  test('F115: and so is one without an end', async () => {
    const endless: Reply = () => {
      const stream = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(Buffer.alloc(1024 * 1024, 'fileContent=')),
      })
      return new Response(stream)
    }
    const { outcome } = await fetchBill(endless)
    expect(outcome).toEqual({ kind: 'unknown', cause: 'expected at most 8388608 bytes' })
  })

  test('and silence', async () => {
    const silent: Reply = () => new Promise<Response>(() => undefined)
    const { outcome } = await fetchBill(silent, { deps: { timeoutMs: 50 } })
    expect(outcome).toEqual({ kind: 'unknown', cause: 'timeout' })
  })

  test('a sink that is full ends the fetch', async () => {
    expect((await fetchBill(file(), { room: 10 })).outcome.kind).toBe('unknown')
  })
})

describe('unionpay checklist 43: no file is an answer, and no error to ask again at once', () => {
  test('asks after 09:00 of Beijing for the day that ended at 23:00, and every half hour', () => {
    expect(partOf()).toMatchObject({
      kinds: ['transaction'],
      dayEndHour: 23,
      availableAtMinute: 545,
      retrySeconds: 1800,
    })
  })

  test.each([
    ['2026-03-14T23:00:00+08:00', 'not_ready'],
    ['2026-03-15T09:05:00+08:00', 'not_ready'],
    ['2026-03-15T17:59:59+08:00', 'not_ready'],
    ['2026-03-15T18:00:00+08:00', 'empty'],
    ['2026-05-15T00:00:00+08:00', 'empty'],
  ] as const)('RC-01, RC-02, F109: none at %p is %p', async (moment, kind) => {
    const { outcome } = await fetchBill(code('98'), { at: new Date(moment) })
    expect(outcome).toEqual({ kind, code: '98' })
  })

  test.each(['10', '11', '13', '31', '32', '43', '92', '96'])(
    '%p is a fault of the request: refused, and for a person',
    async (respCode) => {
      const { outcome } = await fetchBill(code(respCode))
      expect(outcome).toEqual({ kind: 'refused', code: respCode, message: '文件不存在' })
    },
  )

  test.each(['01', '02', '03', '05', '06', '12', '34', '37', '99', 'A6', 'XX'])(
    '%p says nothing of the file',
    async (respCode) => {
      const { outcome } = await fetchBill(code(respCode))
      expect(outcome).toEqual({ kind: 'unknown', cause: `respCode ${respCode}` })
    },
  )
})

describe('the date', () => {
  test.each([
    ['2026-03-14', '2026-03-14T22:59:59+08:00'],
    ['2026-03-15', '2026-03-14T23:30:00+08:00'],
    // The question has no year: this one would be about the same day of a year later.
    ['2025-03-14', '2026-03-14T23:00:00+08:00'],
    ['2024-02-29', '2025-02-28T23:00:00+08:00'],
  ])('RC-12: %s is refused at %s, without asking', async (date, moment) => {
    const { outcome, vendor } = await fetchBill(file(), { date, at: new Date(moment) })
    expect(outcome).toMatchObject({ kind: 'refused', code: 'BILL_DATE' })
    expect(vendor.heard).toEqual([])
  })

  test.each([
    ['2026-03-14', '2026-03-14T23:00:00+08:00'],
    ['2025-12-31', '2026-01-01T09:05:00+08:00'],
    ['2025-03-15', '2026-03-15T22:59:59+08:00'],
    ['2024-02-29', '2025-02-28T22:59:59+08:00'],
  ])('RC-12: %s is asked for at %s', async (date, moment) => {
    const day = Object.fromEntries([['settleDate', date.slice(5).replace('-', '')]])
    const { outcome } = await fetchBill(file(day), { date, at: new Date(moment) })
    expect(outcome.kind).toBe('fetched')
  })

  test('of funds there is no bill', async () => {
    const { outcome, vendor } = await fetchBill(file(), { kind: 'fund' })
    expect(outcome).toMatchObject({ kind: 'refused', code: 'BILL_KIND' })
    expect(vendor.heard).toEqual([])
  })
})
