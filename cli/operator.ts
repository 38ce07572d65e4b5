import type { Command } from 'commander'
import { addOperator, revokeOperator } from '#db/account/operator'
import { parsePerson } from '#domain/reason'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { Failure, UNIQUE_VIOLATION, sqlStateOf } from './failure.ts'

export function addOperatorCommands(program: Command, context: Context): void {
  const operator = program.command('operator').description('who may use the listener for operators')
  addCommand(
    operator,
    'add <name>',
    'let a person decide there, and print the token, this once',
  ).action((name: string, options: JsonOption) => add(context, name, options))
  addCommand(operator, 'revoke <name>', "end a person's token; the name stays in the audit").action(
    (name: string, options: JsonOption) => revoke(context, name, options),
  )
}

async function add(context: Context, text: string, options: JsonOption): Promise<void> {
  const name = parsePerson(text)
  if (name === undefined) {
    throw new Failure(
      'usage',
      'the audit needs a name of 1 to 64 characters, which is neither "policy" nor "machine"',
    )
  }
  const secret = await withDatabase(context, async (db) => {
    try {
      return await addOperator(db, name)
    } catch (error) {
      if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error
      throw new Failure('usage', 'there is or was an operator of this name; choose another name')
    }
  })
  const token = secret.reveal()
  report(context, options, {
    json: { operator: name, token },
    text: `${token}\nKeep it now: only its hash is stored, and it is never shown again.`,
  })
}

async function revoke(context: Context, text: string, options: JsonOption): Promise<void> {
  const name = text.trim()
  const isRevoked = await withDatabase(context, (db) =>
    revokeOperator(db, name, context.clock.now()),
  )
  // What was given is not repeated: it may be the token.
  if (!isRevoked) throw new Failure('usage', 'no operator of this name has a token')
  report(context, options, {
    json: { operator: name, revoked: true },
    text: `the token of ${name} is no longer good`,
  })
}
