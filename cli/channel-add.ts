import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Strategy } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { addAccount } from '#db/account/account'
import type { NewAccount } from '#db/account/account'
import { loadSealKey } from '#db/config'
import type { Db } from '#db/database'
import type { SealKey } from '#db/seal'
import type { ChannelAccountId } from '#domain/id'
import { parseAccountFile } from './account-file.ts'
import type { KeySource } from './key-file.ts'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { databaseUrlOf, withDatabase } from './database.ts'
import { FOREIGN_KEY_VIOLATION, Failure, UNIQUE_VIOLATION, sqlStateOf } from './failure.ts'
import { readMerchantId } from './id.ts'
import { loadKey } from './key-file.ts'

interface AddOptions extends JsonOption {
  readonly file: string
}

export function addChannelAdd(channel: Command, context: Context): void {
  addCommand(channel, 'add', 'add an account; it takes no payments before it is enabled')
    .requiredOption('--file <path>', 'the account in TOML; its key files are found beside it')
    .action((options: AddOptions) => add(context, options))
}

async function add(context: Context, options: AddOptions): Promise<void> {
  databaseUrlOf(context)
  const sealKey = loadSealKey(context.env)
  const toml = await loadToml(options.file)
  const source = {
    directory: dirname(resolve(options.file)),
    now: context.clock.now(),
    env: context.env,
  }
  const account = await readAccount(toml, source)
  const id = await withDatabase(context, (db) => store(db, sealKey, account))
  const callbackPath = `/callback/${id}`
  report(context, options, {
    json: { account: id, callback_path: callbackPath },
    text: `account ${id}\ncallback path ${callbackPath}\nnext: channel test ${id}, then channel enable ${id}`,
  })
}

async function loadToml(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    // Whatever the system says, the operator's next step is the same.
    throw new Failure('usage', 'cannot read the account file; check the path after --file')
  }
}

async function readAccount(toml: string, source: KeySource): Promise<NewAccount> {
  const file = parseAccountFile(toml)
  const merchantId = readMerchantId(file.merchant)
  const strategy = findStrategy(file.strategy)
  const keys = await Promise.all(file.key.map((entry) => loadKey(entry, source)))
  const problems = strategy.checkAccount(file.settings, keys)
  if (problems.length > 0) {
    throw new Failure('usage', `the account cannot be used: ${problems.join('; ')}`)
  }
  return {
    merchantId,
    name: file.name,
    channel: strategy.channelName,
    strategy: file.strategy,
    settings: file.settings,
    identity: strategy.identity(file.settings),
    vendorMerchant: strategy.vendorMerchant(file.settings),
    mode: file.mode,
    keys,
  }
}

/** The strategy of a name that came from outside. */
export function findStrategy(name: string): Strategy {
  const found = Object.hasOwn(strategies, name) ? strategies[name] : undefined
  if (found !== undefined) return found
  throw new Failure('usage', `no such strategy; choose of: ${Object.keys(strategies).join(', ')}`)
}

async function store(db: Db, sealKey: SealKey, account: NewAccount): Promise<ChannelAccountId> {
  try {
    return await addAccount(db, sealKey, account)
  } catch (error) {
    const state = sqlStateOf(error)
    if (state === UNIQUE_VIOLATION) {
      throw new Failure('usage', 'the merchant has an account of this name; choose another name')
    }
    if (state === FOREIGN_KEY_VIOLATION) {
      throw new Failure('usage', `there is no merchant ${account.merchantId}; add it first`)
    }
    throw error
  }
}
