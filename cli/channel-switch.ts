import type { Command } from 'commander'
import { setAccountFlags } from '#db/account/account'
import { hasOpenPayment, listAccounts } from '#db/account/account-list'
import type { ListedAccount } from '#db/account/account-list'
import { loadSealKey } from '#db/config'
import type { Db } from '#db/database'
import { hasDueRefund } from '#db/refund/due-refund'
import type { ChannelAccountId } from '#domain/id'
import { findStrategy } from './channel-add.ts'
import type { AccountState } from './channel-list.ts'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { databaseUrlOf, withDatabase } from './database.ts'
import { Failure } from './failure.ts'
import { readAccountId } from './id.ts'
import { loadStoredAccount } from './stored-account.ts'

/** `enable`, `disable` and `retire`. */
export function addChannelSwitches(channel: Command, context: Context): void {
  const add = (usage: string, description: string, state: AccountState): void => {
    addCommand(channel, `${usage} <id>`, description).action((id: string, options: JsonOption) =>
      change(context, readAccountId(id), { ...options, state }),
    )
  }
  add('enable', 'let an account take new payments', 'accepting')
  add('disable', 'take no new payments; callbacks are still heard', 'disabled')
  add('retire', 'out of use for good: callbacks are refused', 'retired')
}

interface Change extends JsonOption {
  readonly state: AccountState
}

async function change(context: Context, id: ChannelAccountId, wanted: Change): Promise<void> {
  databaseUrlOf(context)
  const { state } = wanted
  await withDatabase(context, async (db) => {
    if (state === 'accepting') await checkUsable(context, db, id)
    const account = await loadListed(db, id)
    if (account.retired && state !== 'retired') {
      throw new Failure('usage', `account ${id} is retired for good; add it anew`)
    }
    if (state === 'retired') await checkUnused(db, account)
    await setAccountFlags(db, account.merchantId, id, {
      accepting: state === 'accepting',
      retired: state === 'retired',
    })
  })
  report(context, wanted, { json: { account: id, state }, text: `account ${id} is ${state}` })
}

async function loadListed(db: Db, id: ChannelAccountId): Promise<ListedAccount> {
  const [found] = await listAccounts(db, id)
  if (found === undefined) throw new Failure('usage', `no account ${id}; see "channel list"`)
  return found
}

async function checkUsable(context: Context, db: Db, id: ChannelAccountId): Promise<void> {
  const account = await loadStoredAccount(db, loadSealKey(context.env), id)
  const problems = findStrategy(account.strategy).checkAccount(account.settings, account.keys)
  if (problems.length === 0) return
  throw new Failure('usage', `account ${id} cannot be used: ${problems.join('; ')}`)
}

/** A retired account hears no callbacks, so money that is on its way would arrive unseen. */
async function checkUnused(db: Db, account: ListedAccount): Promise<void> {
  if (account.accepting) {
    throw new Failure('usage', `account ${account.id} takes payments; disable it first`)
  }
  if (await hasOpenPayment(db, account)) {
    throw new Failure(
      'usage',
      `account ${account.id} has open payments; retire it when they are paid or closed`,
    )
  }
  if (await hasDueRefund(db, account)) {
    throw new Failure(
      'usage',
      `account ${account.id} has refunds without an end; retire it when they have one`,
    )
  }
}
