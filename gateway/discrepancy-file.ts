import type { DiscrepancyRow } from '#db/bill/discrepancy'
import { findDiscrepancies, isLastVersion } from '#db/bill/reconciliation-list'
import type { ReconciliationRow } from '#db/bill/reconciliation-list'
import { jsonMinor } from '#domain/money'
import { CSV_MARK, csvRow } from './csv.ts'
import type { GatewayDeps } from './deps.ts'
import { Problem } from './problem.ts'

const ROWS_PER_PAGE = 500

const COLUMNS = ['business_date', 'kind', 'subject_kind', 'subject', 'state'] as const
const HEAD = csvRow([...COLUMNS, 'our_amount', 'their_amount', 'decision', 'reason', 'decided_by'])

/**
 * What a run found, as a CSV file that is read and sent in pieces: a bad day has a hundred thousand lines.
 *
 * A later version of the day takes over what this one found. Then there is no such file, and one that is on its
 * way breaks off: never one that lacks lines and does not say so.
 */
export async function fileOf(
  deps: Pick<GatewayDeps, 'db'>,
  run: ReconciliationRow,
): Promise<Response> {
  if (!(await isLastVersion(deps.db, run))) {
    throw new Problem(
      409,
      'reconciliation_superseded',
      'the day was compared again: ask for that run',
    )
  }
  const pages = readPages(deps, run)
  // The first page is read before the answer begins, so that a database that is away is still a 503.
  const first = await pages.next()
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(CSV_MARK + HEAD))
      if (first.done !== true) controller.enqueue(encoder.encode(first.value))
    },
    async pull(controller) {
      const { done, value } = await pages.next()
      if (done === true) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
  })
  return new Response(body, {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="${nameOf(run)}"`,
      'cache-control': 'no-store',
    },
  })
}

async function* readPages(
  { db }: Pick<GatewayDeps, 'db'>,
  run: ReconciliationRow,
): AsyncGenerator<string> {
  const query = { merchantId: run.merchant_id, reconciliationId: run.id, limit: ROWS_PER_PAGE }
  let rows = await findDiscrepancies(db, query)
  for (let after = rows.at(-1)?.id; after !== undefined; after = rows.at(-1)?.id) {
    yield rows.map(rowOf).join('')
    if (rows.length < ROWS_PER_PAGE) break
    rows = await findDiscrepancies(db, { ...query, after })
  }
  if (!(await isLastVersion(db, run))) throw new Error(`${run.id} was superseded while it was read`)
}

/** A merchant has several numbers at a vendor, and a day may be compared again: each run has its own name. */
function nameOf(run: ReconciliationRow): string {
  const mode = run.mode === 'test' ? ['test'] : []
  const parts = [run.channel, ...mode, run.vendor_merchant, run.business_date, `v${run.version}`]
  // A number is what a vendor calls it; it must not end the header's quotes.
  return `${parts.join('-').replaceAll(/[^\w-]/g, '_')}.csv`
}

const rowOf = (row: DiscrepancyRow): string =>
  csvRow([
    ...COLUMNS.map((name) => row[name]),
    row.our_amount === null ? null : jsonMinor(row.our_amount),
    row.their_amount === null ? null : jsonMinor(row.their_amount),
    row.decision,
    row.reason,
    row.decided_by,
  ])
