import { sql } from 'kysely'
import type { Db, Trx } from '#db/database'
import type { OrderId } from '#domain/id'
import { waitFor } from './wait.ts'

/**
 * The barrier of every race: all works start while the order's row is held, one after the other, and go on
 * in that order when it is let go.
 *
 * Each has come to its lock before the next one starts, or is done because it needed none. Without the
 * lock they would run into each other here, so that a missing one is seen.
 */
export const lineUp = <T>(
  db: Db,
  orderId: OrderId,
  works: readonly (() => Promise<T>)[],
): Promise<PromiseSettledResult<T>[]> =>
  lineUpBehind(
    db,
    (trx) => sql`SELECT 1 FROM customer_order WHERE id = ${orderId} FOR UPDATE`.execute(trx),
    works,
  )

/** As `lineUp`, behind whatever `hold` locks: works that forget the order meet at another row. */
export async function lineUpBehind<T>(
  db: Db,
  hold: (trx: Trx) => Promise<unknown>,
  works: readonly (() => Promise<T>)[],
): Promise<PromiseSettledResult<T>[]> {
  const running: Promise<T>[] = []
  await db.transaction().execute(async (trx) => {
    await hold(trx)
    for (const work of works) {
      const before = await countWaiting(db)
      let isDone = false
      const started = work().finally(() => {
        isDone = true
      })
      // Heard below; until then a failure is no unhandled rejection.
      started.catch(() => undefined)
      running.push(started)
      await waitFor('a work to come to its lock', async () =>
        isDone || (await countWaiting(db)) > before ? true : undefined,
      )
    }
  })
  return Promise.allSettled(running)
}

/** Every order in which the works can start. */
export function ordersOf<T>(works: readonly T[]): T[][] {
  if (works.length < 2) return [[...works]]
  return works.flatMap((work, index) =>
    ordersOf(works.filter((_, other) => other !== index)).map((rest) => [work, ...rest]),
  )
}

/** Connections of this database that wait for a lock. */
export async function countWaiting(db: Db): Promise<number> {
  const { rows } = await sql`
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(db)
  return rows.length
}
