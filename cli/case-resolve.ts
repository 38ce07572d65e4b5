import { Option } from 'commander'
import type { Command } from 'commander'
import { decideCase } from '#db/case/decide-case'
import type { DecisionOutcome } from '#db/case/decide-case'
import type { DecisionRequest } from '#db/case/decision'
import { unreachable } from '#domain/assert'
import { CASE_DECISIONS } from '#domain/case'
import type { CaseDecision } from '#domain/case'
import { readActor, readReason, withActor } from './actor.ts'
import type { ActorOption } from './actor.ts'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption, Report } from './context.ts'
import { Failure } from './failure.ts'
import { readCaseId } from './id.ts'
import { findRefundKey } from './refund-key.ts'
import { withWork } from './work.ts'

interface ResolveOptions extends JsonOption, ActorOption {
  readonly decision: CaseDecision
  readonly reason: string
}

export function addCaseResolve(cases: Command, context: Context): void {
  withActor(
    addCommand(cases, 'resolve <id>', 'decide a case, once; "case show" lists what it allows'),
  )
    .addOption(
      new Option('--decision <decision>', 'what is done')
        .choices(CASE_DECISIONS)
        .makeOptionMandatory(),
    )
    .requiredOption('--reason <text>', 'why, for the audit')
    .action((id: string, options: ResolveOptions) => resolve(context, id, options))
}

async function resolve(context: Context, text: string, options: ResolveOptions): Promise<void> {
  const wanted = {
    caseId: readCaseId(text),
    decision: options.decision,
    actor: readActor(options),
    reason: readReason(options.reason),
  }
  const outcome = await withWork(context, async (db, deps) => {
    const hasRefundKey = await findRefundKey(context, db, wanted)
    return decideCase(db, deps, { ...wanted, hasRefundKey })
  })
  report(context, options, tell(wanted, outcome))
}

type Wanted = Pick<DecisionRequest, 'caseId' | 'decision' | 'actor'>

function tell({ caseId, decision, actor }: Wanted, outcome: DecisionOutcome): Report {
  switch (outcome.kind) {
    case 'decided': {
      const state = decision === 'keep_open' ? 'open' : 'resolved'
      const effect = Object.entries(outcome.effect).map(([name, value]) => `${name} ${value}`)
      return {
        json: { case: caseId, decision, state, actor, effect: outcome.effect },
        text: [`case ${caseId} is ${state}: ${decision} by ${actor}`, ...effect].join('\n'),
      }
    }
    case 'case_not_found':
      throw new Failure('usage', `there is no case ${caseId}; see "case list"`)
    case 'already_resolved':
      throw new Failure('usage', `case ${caseId} is resolved already; "case show" tells how`)
    case 'not_allowed':
      throw new Failure(
        'usage',
        `a case of ${outcome.caseKind} allows: ${outcome.allowed.join(', ')}`,
      )
    case 'impossible':
      throw new Failure('usage', outcome.problem)
    default:
      return unreachable(outcome)
  }
}
