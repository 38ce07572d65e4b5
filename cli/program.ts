import { Command } from 'commander'
import { addAuditCommands } from './audit.ts'
import { addBillCommands } from './bill.ts'
import { addCaseCommands } from './case.ts'
import { addChannelCommands } from './channel.ts'
import type { Context } from './context.ts'
import { addDiscrepancyCommands } from './discrepancy.ts'
import { exitCodeOf, explain, lineOf } from './failure.ts'
import { addKeyCommands } from './key.ts'
import { addMerchantCommands } from './merchant.ts'
import { addMigrate } from './migrate.ts'
import { addOperatorCommands } from './operator.ts'
import { addRefundCommands } from './refund.ts'
import { addUp } from './up.ts'

/** Runs one command line and returns the exit code. Errors become one line; nothing is thrown. */
export async function runProgram(
  context: Context,
  words: readonly string[],
  printError: (line: string) => void,
): Promise<number> {
  try {
    await createProgram(context).parseAsync([...words], { from: 'user' })
    return 0
  } catch (error) {
    const failure = explain(error)
    if (failure === undefined) return 0
    printError(lineOf(failure))
    return exitCodeOf(failure)
  }
}

function createProgram(context: Context): Command {
  const program = new Command('pingzhang')
    .description('Pingzhang, a self-hosted payment platform')
    // Subcommands inherit both only when they are made after this.
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  addMigrate(program, context)
  addMerchantCommands(program, context)
  addKeyCommands(program, context)
  addChannelCommands(program, context)
  addCaseCommands(program, context)
  addRefundCommands(program, context)
  addBillCommands(program, context)
  addDiscrepancyCommands(program, context)
  addOperatorCommands(program, context)
  addAuditCommands(program, context)
  addUp(program, context)
  return program
}
