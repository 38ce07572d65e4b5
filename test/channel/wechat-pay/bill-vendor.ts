import { gzipSync } from 'node:zlib'
import type { BillFetch, BillKind } from '#channel/bill'
import { atSecond } from '../support.ts'
import type { ChannelSetup } from '../support.ts'
import { bytesOf, partOf, sampleOf } from './bill-support.ts'
import { refusal, signed, startVendor } from './vendor.ts'
import type { Reply, TinyVendor } from './vendor.ts'

export const businessDate = '2026-03-14'
export const plain = bytesOf(sampleOf('ALL').lines)
export const packed = gzipSync(plain)
export const sha1 = sampleOf('ALL').sha1
export const TOKEN = 'aB3%2Fx%2B-_~==&tartype=gzip'

/** Half past ten of the next day in Beijing. */
export const NEXT_DAY = Date.parse('2026-03-15T10:30:00+08:00') / 1000

export interface Fetched {
  readonly outcome: BillFetch
  readonly vendor: TinyVendor
  readonly bytes: Uint8Array
}

export interface How extends ChannelSetup {
  readonly kind?: BillKind
  readonly date?: string
  /** How many bytes the sink holds. */
  readonly room?: number
}

/** Lets the channel fetch from a vendor that answers in this order. */
export async function fetchBill(
  replies: (host: string) => readonly Reply[],
  { kind = 'transaction', date = businessDate, room = Infinity, ...setup }: How = {},
): Promise<Fetched> {
  const turns: Reply[] = []
  await using vendor = startVendor([(heard) => (turns.shift() ?? noReply)(heard)], {
    at: atSecond(NEXT_DAY),
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

export const noReply: Reply = () => new Response('asked too often', { status: 500 })

export const link =
  (host: string, changes: Readonly<Record<string, unknown>> = {}, seconds = NEXT_DAY): Reply =>
  () => {
    const url = `${host}/v3/billdownload/file?token=${TOKEN}`
    const answer = { hash_type: 'SHA1', hash_value: sha1, download_url: url, ...changes }
    return signed(200, JSON.stringify(answer), { seconds })
  }

export const file: Reply = () =>
  new Response(packed, { headers: { 'content-type': 'application/x-gzip' } })
export const whole = (host: string): readonly Reply[] => [link(host), file]
export const expired: Reply = () => refusal(400, 'INVALID_REQUEST', '下载地址已失效')
