import type { Kysely, Transaction } from 'kysely'
import type { AroundName } from '#domain/failpoint'
import { hit } from '#failpoint'

/**
 * Runs work in a transaction and commits it: the one way to do so, with a failpoint on either side of COMMIT.
 *
 * What the work has sent is there before the first point, and durable at the second.
 */
export async function commit<Tables, T>(
  db: Kysely<Tables>,
  effect: AroundName,
  work: (trx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  const done = await db.transaction().execute(async (trx) => {
    const result = await work(trx)
    hit(`${effect}:before`)
    return result
  })
  hit(`${effect}:after`)
  return done
}
