import type { Selectable } from 'kysely'
import type { MerchantId } from '#domain/id'
import { newCaseId } from '#domain/id'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { createEvents } from '../event/merchant-event.ts'
import type { Schema } from '../schema.ts'

export interface NewCase {
  readonly merchantId: MerchantId
  readonly kind: string
  readonly subject: string
  readonly evidence: Readonly<Record<string, unknown>>
  /** A case about telling the merchant is not told: the event would fail like the last, and open another. */
  readonly isTold?: false
}

/** Opens cases for a person. One open case per kind and subject: a repeat adds nothing. */
export async function openCases(trx: Trx, cases: readonly NewCase[]): Promise<void> {
  if (cases.length === 0) return
  const opened = await trx
    .insertInto('open_case')
    .values(
      cases.map((item) => ({
        merchant_id: item.merchantId,
        id: newCaseId(),
        kind: item.kind,
        subject: item.subject,
        evidence: JSON.stringify(item.evidence),
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .execute()
  const silent = new Set(cases.filter(({ isTold }) => isTold === false).map(nameOf))
  for (const row of opened) if (!silent.has(nameOf(row))) await tell(trx, row)
}

const nameOf = ({ kind, subject }: Pick<NewCase, 'kind' | 'subject'>): string =>
  `${kind} ${subject}`

/** The sweeper sends it: a case waits for a person anyway. */
const tell = (trx: Trx, row: Selectable<Schema['open_case']>): Promise<void> =>
  createEvents(trx, undefined, { merchantId: row.merchant_id, at: row.opened_at }, [
    {
      type: 'case.opened',
      subject: row.id,
      data: { case: { id: row.id, kind: row.kind, subject: row.subject } },
    },
  ])

/** Opens one case in a commit of its own. */
export const openCase = (db: Db, item: NewCase): Promise<void> =>
  commit(db, 'case.open', (trx) => openCases(trx, [item]))
