import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { createApiKey } from '#db/account/merchant'
import { SCOPES, parseScope } from '#domain/scope'
import type { Scope } from '#domain/scope'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { FOREIGN_KEY_VIOLATION, Failure, sqlStateOf } from './failure.ts'
import { readMerchantId } from './id.ts'
import { addKeyRevoke } from './key-revoke.ts'

interface CreateOptions extends JsonOption {
  readonly merchant: string
  readonly mode: 'live' | 'test'
  readonly scope?: readonly Scope[]
}

export function addKeyCommands(program: Command, context: Context): void {
  const key = program.command('key').description('API keys of merchants')
  addCommand(key, 'create', 'make an API key and print it, this once')
    .requiredOption('--merchant <id>', 'whom the key speaks for')
    .addOption(
      new Option('--mode <mode>', 'what the key says it is for')
        .choices(['test', 'live'])
        .makeOptionMandatory(),
    )
    .option('--scope <scope...>', `what it may do; all of it: ${SCOPES.join(' ')}`, readScope)
    .action((options: CreateOptions) => create(context, options))
  addKeyRevoke(key, context)
}

/** Commander hands the words over one by one, with those before. */
function readScope(text: string, earlier: readonly Scope[] = []): readonly Scope[] {
  const scope = parseScope(text)
  if (scope === undefined) throw new InvalidArgumentError(`choose of: ${SCOPES.join(', ')}`)
  return [...new Set([...earlier, scope])]
}

async function create(context: Context, options: CreateOptions): Promise<void> {
  const merchantId = readMerchantId(options.merchant)
  const scopes = options.scope ?? SCOPES
  const key = await withDatabase(context, async (db) => {
    try {
      return await createApiKey(db, merchantId, options.mode, scopes)
    } catch (error) {
      if (sqlStateOf(error) !== FOREIGN_KEY_VIOLATION) throw error
      throw new Failure('usage', `there is no merchant ${merchantId}; add it with "merchant add"`)
    }
  })
  const text = key.reveal()
  report(context, options, {
    json: { merchant: merchantId, mode: options.mode, scopes, key: text },
    text: `${text}\nKeep it now: only its hash is stored, and it is never shown again.`,
  })
}
