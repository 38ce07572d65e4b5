import { findAccount } from '#db/account/account'
import type { StoredAccount } from '#db/account/account'
import type { Db } from '#db/database'
import type { SealKey } from '#db/seal'
import type { ChannelAccountId } from '#domain/id'
import { Failure } from './failure.ts'

/** Loads an account with its keys, or says that there is none. */
export async function loadStoredAccount(
  db: Db,
  sealKey: SealKey,
  id: ChannelAccountId,
): Promise<StoredAccount> {
  const account = await findAccount(db, sealKey, id)
  if (account === undefined) throw new Failure('usage', `no account ${id}; see "channel list"`)
  return account
}
