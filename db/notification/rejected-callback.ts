import { sql } from 'kysely'
import type { ChannelAccountId } from '#domain/id'
import { around } from '#failpoint'
import type { Db } from '../database.ts'

const KEPT_PER_ACCOUNT = 50
const EXPLANATION_CHARACTERS_MAX = 2000

/**
 * Keeps a refused callback for people who ask why. Bounded: a flood overwrites itself.
 *
 * The slot is chosen at random, so no count has to be read and forgeries cannot queue up behind a lock.
 */
export async function keepRejected(
  db: Db,
  account: ChannelAccountId,
  reason: string,
  explanation: string,
): Promise<void> {
  const slot = BigInt(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % BigInt(KEPT_PER_ACCOUNT)
  // PostgreSQL text cannot hold the character NUL.
  const text = explanation.slice(0, EXPLANATION_CHARACTERS_MAX).replaceAll('\u0000', '')
  await around('callback.rejected-row', () =>
    db
      .insertInto('rejected_callback')
      .values({ channel_account_id: account, slot, reason, explanation: text })
      .onConflict((conflict) =>
        conflict
          .columns(['channel_account_id', 'slot'])
          .doUpdateSet({ reason, explanation: text, at: sql`now()` }),
      )
      .execute(),
  )
}
