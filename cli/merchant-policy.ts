import { Argument } from 'commander'
import type { Command } from 'commander'
import type { Db } from '#db/database'
import { findMerchant, setPolicy } from '#db/account/merchant-policy'
import type { NamedMerchant } from '#db/account/merchant-policy'
import type { LatePolicy } from '#db/schema'
import { readActor, readReason, withActor } from './actor.ts'
import type { ActorOption } from './actor.ts'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { Failure } from './failure.ts'

interface PolicyOptions extends JsonOption, ActorOption {
  readonly reason: string
}

const POLICIES = ['revive', 'refund', 'ask'] as const

export function addMerchantPolicy(merchant: Command, context: Context): void {
  const command = addCommand(
    merchant,
    'policy <merchant>',
    'what happens to money for a closed or paid order; an id or a name',
  )
  withActor(command)
    .addArgument(new Argument('<policy>', 'for late money').choices(POLICIES))
    .option('--reason <text>', 'why, for the audit', 'set by command')
    .action((text: string, policy: LatePolicy, options: PolicyOptions) =>
      change(context, text, { ...options, policy }),
    )
}

interface Change extends PolicyOptions {
  readonly policy: LatePolicy
}

async function change(context: Context, text: string, options: Change): Promise<void> {
  const { policy } = options
  const actor = readActor(options)
  const reason = readReason(options.reason)
  const { merchant, before } = await withDatabase(context, async (db) => {
    const found = await loadMerchant(db, text)
    const at = context.clock.now()
    return {
      merchant: found,
      before: await setPolicy(db, { merchantId: found.id, policy, actor, reason, at }),
    }
  })
  report(context, options, {
    json: { merchant: merchant.id, name: merchant.name, policy, before },
    text:
      before === policy
        ? `the policy of "${merchant.name}" is ${policy} already`
        : `the policy of "${merchant.name}" is ${policy}; it was ${before}`,
  })
}

/** A merchant that an operator names by id or name. */
export async function loadMerchant(db: Db, text: string): Promise<NamedMerchant> {
  const found = await findMerchant(db, text)
  if (found !== undefined) return found
  throw new Failure(
    'usage',
    'no merchant has this id or name; "channel list" shows those with accounts',
  )
}
