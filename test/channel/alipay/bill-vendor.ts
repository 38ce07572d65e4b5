import type { BillFetch, BillKind } from '#channel/bill'
import type { ChannelSetup } from '../support.ts'
import { partOf, transactionZip } from './bill-support.ts'
import { done, html, startVendor } from './vendor.ts'
import type { Reply, TinyVendor } from './vendor.ts'

const NEXT_DAY = new Date('2026-01-31T10:30:00+08:00')
export const QUERY =
  'bizType=trade&fileId=%2Ftrade%2F20260130.csv.zip&timestamp=1769826600&token=0123456789abcdef'
export const raw = Uint8Array.from(transactionZip())

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

const noReply: Reply = () => new Response('asked too often', { status: 500 })

/** Lets the channel fetch from a vendor that answers in this order. */
export async function fetchBill(
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

export const link = (host: string, changes: Readonly<Record<string, unknown>> = {}): Reply =>
  done({ bill_download_url: `${host}/downloadBillFile.resource?${QUERY}`, ...changes })

export const file: Reply = () =>
  new Response(raw, { headers: { 'content-type': 'application/octet-stream' } })
export const whole = (host: string): readonly Reply[] => [link(host), file]
export const expired: Reply = () => html('<html>链接已失效</html>')
