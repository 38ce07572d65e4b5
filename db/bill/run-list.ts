import type { RunState } from '#domain/state'
import type { Db } from '../database.ts'
import type { RunRow } from './run.ts'

/** A run with whose day it is. */
export interface ListedRun extends RunRow {
  readonly channel: string
  readonly number: string
}

export interface RunFilter {
  readonly state?: RunState | undefined
  readonly limit: number
}

/** Runs of all merchants, the newest day first. */
export function findRuns(db: Db, { state, limit }: RunFilter): Promise<ListedRun[]> {
  let query = db
    .selectFrom('schedule_run as r')
    .innerJoin('vendor_merchant as v', (join) =>
      join.onRef('v.merchant_id', '=', 'r.merchant_id').onRef('v.id', '=', 'r.vendor_merchant_id'),
    )
    .selectAll('r')
    .select(['v.channel', 'v.number'])
    .orderBy('r.business_date', 'desc')
    .orderBy('r.id', 'desc')
    .limit(limit)
  if (state !== undefined) query = query.where('r.state', '=', state)
  return query.execute()
}
