import type { Command } from 'commander'
import { unreachable } from '#domain/assert'
import { retryRefund } from '#db/case/decide-refund'
import type { RetryOutcome } from '#db/case/decide-refund'
import { readActor, readReason, withActor } from './actor.ts'
import type { ActorOption } from './actor.ts'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption, Report } from './context.ts'
import { Failure } from './failure.ts'
import { readRefundId } from './id.ts'
import { withWork } from './work.ts'

interface RetryOptions extends JsonOption, ActorOption {
  readonly reason: string
}

export function addRefundCommands(program: Command, context: Context): void {
  const refund = program.command('refund').description('refunds that need a person')
  withActor(addCommand(refund, 'retry <id>', 'send a refused refund again under a new number'))
    .requiredOption('--reason <text>', 'why, for the audit')
    .action((id: string, options: RetryOptions) => retry(context, id, options))
}

async function retry(context: Context, text: string, options: RetryOptions): Promise<void> {
  const refundId = readRefundId(text)
  const request = { refundId, actor: readActor(options), reason: readReason(options.reason) }
  const outcome = await withWork(context, (db, deps) => retryRefund(db, deps, request))
  report(context, options, tell(refundId, outcome))
}

function tell(refundId: string, outcome: RetryOutcome): Report {
  switch (outcome.kind) {
    case 'retried': {
      const { id, amount } = outcome.refund
      return {
        json: { refund: refundId, retried_as: id, amount: Number(amount) },
        text: `refund ${refundId} is tried again as ${id}: ${amount} fen`,
      }
    }
    case 'refund_not_found':
      throw new Failure('usage', `there is no refund ${refundId}`)
    case 'impossible':
      throw new Failure('usage', outcome.problem)
    default:
      return unreachable(outcome)
  }
}
