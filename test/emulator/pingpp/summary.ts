import { parseChinaDateTime } from '../core/china-time.ts'
import type { Emission } from './event-desk.ts'
import { newNonce } from '../core/random.ts'
import type { PingppVendor } from './vendor.ts'

const DAY_SECONDS = 24 * 3600
const ACCOUNT_CHARACTERS = 16

/**
 * Sends `summary.daily.available`: amount and number of an app's payments of one day in China (dossier 4.1).
 *
 * Throws on a day that is none; the form is `2026-03-14`.
 */
export function sendDailySummary(
  vendor: PingppVendor,
  { app, day, livemode = true }: DailySummaryRequest,
): Emission {
  const start = parseChinaDateTime(`${day} 00:00:00`)
  if (start === undefined) throw new Error(`expected a day like 2026-03-14, got ${day}`)
  const from = start.getTime() / 1000
  const paid = vendor.book
    .list()
    .filter(({ body, livemode: isLive }) => body.app.id === app && isLive === livemode)
    .filter(({ payment }) => isOnDay(payment?.timePaid, from))
  const object = {
    object: 'app_daily_summary',
    acct_id: `acct_${newNonce(ACCOUNT_CHARACTERS)}`,
    app_id: app,
    acct_display_name: 'xx公司',
    app_display_name: 'xx应用',
    created: vendor.nowSeconds(),
    summary_from: from,
    summary_to: from + DAY_SECONDS - 1,
    charges_amount: paid.reduce((sum, { body }) => sum + body.amount, 0),
    charges_count: paid.length,
  }
  const news = { type: 'summary.daily.available', object, app, livemode, requestId: null }
  return vendor.events.emit({ ...news, orderNumber: '' })
}

export interface DailySummaryRequest {
  readonly app: string
  readonly day: string
  readonly livemode?: boolean
}

const isOnDay = (timePaid: number | undefined, from: number): boolean =>
  timePaid !== undefined && timePaid >= from && timePaid < from + DAY_SECONDS
