import { sql } from 'kysely'
import { findLostEvents } from '../../support/invariant.ts'
import type { SignedCallback } from '../../emulator/wechat-pay/callback.ts'
import { signSale } from '../crash/sale.ts'
import type { Sale } from '../crash/sale.ts'
import type { Stage } from '../crash/stage.ts'

const ANSWER_WITHIN_MS = 5000
const PAID_AT = new Date()

/** What the vendor heard: a status, or nothing because the connection ended. */
export type Heard = number | 'nothing'

/** The vendor's side: it sends, and remembers for ever what was acknowledged. */
export interface Vendor {
  send(sale: Sale): Promise<Heard>
  sendForged(sale: Sale): Promise<Heard>
  /** Acknowledged events without a row: I1, and CB-02's assertion. */
  lost(): Promise<number>
}

export function startVendor(stage: Stage): Vendor {
  const acknowledged = new Set<string>()
  const sign = (sale: Sale): SignedCallback => signSale(stage.keys, sale, PAID_AT)

  async function send(sale: Sale): Promise<Heard> {
    const heard = await post(stage.callbackUrl, sign(sale))
    if (heard === 200) acknowledged.add(`evt:${sale.eventId}`)
    return heard
  }

  return {
    send,
    sendForged(sale) {
      const { headers, body } = sign(sale)
      return post(stage.callbackUrl, { headers, body: body.replace('"id":"', '"id":"x') })
    },
    async lost() {
      const eventKeys = [...acknowledged]
      const found = await findLostEvents(stage.db, {
        acknowledged: { accountId: stage.accountId, eventKeys },
      })
      return found.length
    },
  }
}

async function post(url: string, { headers, body }: SignedCallback): Promise<Heard> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
    const response = await fetch(url, { method: 'POST', headers, body, signal })
    await response.arrayBuffer()
    return response.status
  } catch {
    // Refused or cut off: the vendor has heard nothing, and sends again.
    return 'nothing'
  }
}

/** What is there of an event: its rows, and the jobs that name its first row. */
export interface Stored {
  readonly rows: number
  readonly orderStatusJobs: number
  readonly compensationJobs: number
}

export async function storedOf({ db }: Stage, sale: Sale): Promise<Stored> {
  const { rows } = await sql<Stored>`
    WITH mine AS (SELECT id FROM notification WHERE event_key = ${`evt:${sale.eventId}`}),
    job AS (SELECT name FROM pgboss.job JOIN mine ON data -> 'notificationIds' ? mine.id)
    SELECT (SELECT count(*)::int FROM mine) AS rows,
           (SELECT count(*)::int FROM job WHERE name = 'order-status') AS "orderStatusJobs",
           (SELECT count(*)::int FROM job WHERE name = 'compensation') AS "compensationJobs"`.execute(
    db,
  )
  const [stored] = rows
  if (stored === undefined) throw new Error('counting gave no row')
  return stored
}
