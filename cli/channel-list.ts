import type { Command } from 'commander'
import { listAccounts } from '#db/account/account-list'
import type { ListedAccount } from '#db/account/account-list'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'

export function addChannelList(channel: Command, context: Context): void {
  addCommand(channel, 'list', 'show all accounts; needs no seal key').action(
    async (options: JsonOption) => {
      const accounts = await withDatabase(context, (db) => listAccounts(db))
      const lines = accounts.map(describe)
      const text = lines.length === 0 ? 'no accounts; add one with "channel add"' : lines.join('\n')
      report(context, options, { json: accounts.map(toJson), text })
    },
  )
}

export type AccountState = 'accepting' | 'disabled' | 'retired'

export function stateOf(account: ListedAccount): AccountState {
  if (account.retired) return 'retired'
  return account.accepting ? 'accepting' : 'disabled'
}

const describe = (account: ListedAccount): string =>
  [
    account.id,
    stateOf(account),
    account.mode,
    account.strategy,
    account.vendorMerchant,
    `"${account.name}"`,
    `of ${account.merchantId} "${account.merchantName}"`,
  ].join('  ')

const toJson = (account: ListedAccount) => ({
  account: account.id,
  state: stateOf(account),
  mode: account.mode,
  strategy: account.strategy,
  vendor_merchant: account.vendorMerchant,
  name: account.name,
  merchant: account.merchantId,
  merchant_name: account.merchantName,
  callback_path: `/callback/${account.id}`,
})
