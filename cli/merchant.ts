import type { Command } from 'commander'
import { addMerchant } from '#db/account/merchant'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { Failure, UNIQUE_VIOLATION, sqlStateOf } from './failure.ts'
import { addMerchantPolicy } from './merchant-policy.ts'

interface AddOptions extends JsonOption {
  readonly name: string
}

export function addMerchantCommands(program: Command, context: Context): void {
  const merchant = program.command('merchant').description('merchants of this installation')
  addCommand(merchant, 'add', 'add a merchant')
    .requiredOption('--name <name>', 'a name that no other merchant has')
    .action((options: AddOptions) => add(context, options))
  addMerchantPolicy(merchant, context)
}

async function add(context: Context, options: AddOptions): Promise<void> {
  const name = options.name.trim()
  if (name === '') throw new Failure('usage', 'the name is empty; give --name some text')
  const id = await withDatabase(context, async (db) => {
    try {
      return await addMerchant(db, name)
    } catch (error) {
      if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error
      throw new Failure('usage', `there is a merchant "${name}" already; choose another name`)
    }
  })
  report(context, options, { json: { merchant: id, name }, text: `merchant ${id} "${name}"` })
}
