import type { Command } from 'commander'
import { findKeyOwners, revokeKeys } from '#db/account/api-key'
import type { Db } from '#db/database'
import type { MerchantId } from '#domain/id'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { Failure } from './failure.ts'
import { loadMerchant } from './merchant-policy.ts'

interface RevokeOptions extends JsonOption {
  readonly merchant?: string
}

/** What is stored of a key beside its hash. */
const SHOWN_PREFIX = /^sk_(?:live|test)_[\w-]{4}$/

export function addKeyRevoke(key: Command, context: Context): void {
  addCommand(key, 'revoke <beginning>', 'end the API key that begins with these 12 characters')
    .option('--merchant <id or name>', 'whose; needed only where keys of two begin the same')
    .action((text: string, options: RevokeOptions) => revoke(context, text, options))
}

async function revoke(context: Context, text: string, options: RevokeOptions): Promise<void> {
  if (!SHOWN_PREFIX.test(text)) {
    // What was given is not repeated: it may be a whole key.
    throw new Failure('usage', 'give the first 12 characters of the key, for example sk_live_aB3x')
  }
  const { merchantId, count } = await withDatabase(context, async (db) => {
    const owner = await findOwner(db, text, options)
    const wanted = { shownPrefix: text, now: context.clock.now() }
    return { merchantId: owner, count: await revokeKeys(db, owner, wanted) }
  })
  report(context, options, {
    json: { key: text, merchant: merchantId, revoked: count },
    text: `the key ${text}… of ${merchantId} is no longer good`,
  })
}

async function findOwner(db: Db, text: string, { merchant }: RevokeOptions): Promise<MerchantId> {
  const named = merchant === undefined ? undefined : (await loadMerchant(db, merchant)).id
  const owners = await findKeyOwners(db, text)
  const [owner, another] = owners.filter((id) => named === undefined || id === named)
  if (owner === undefined) throw new Failure('usage', 'no key begins so, or it is revoked already')
  if (another !== undefined) {
    throw new Failure('usage', 'keys of several merchants begin so; say whose with --merchant')
  }
  return owner
}
