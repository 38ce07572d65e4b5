import type { Command } from 'commander'
import { migrate } from '#db/migrate'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { databaseUrlOf } from './database.ts'

export function addMigrate(program: Command, context: Context): void {
  addCommand(program, 'migrate', 'bring the database to this version; safe to repeat').action(
    async (options: JsonOption) => {
      await migrate(databaseUrlOf(context))
      report(context, options, { json: { migrated: true }, text: 'the database is up to date' })
    },
  )
}
