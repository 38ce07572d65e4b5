import { Option } from 'commander'
import type { Command } from 'commander'
import { decideDiscrepancy } from '#db/bill/decide-discrepancy'
import type { DiscrepancyOutcome } from '#db/bill/decide-discrepancy'
import type { DiscrepancyRow } from '#db/bill/discrepancy'
import { findDiscrepancies, findDiscrepancyById } from '#db/bill/reconciliation-list'
import type { DiscrepancyKind } from '#domain/discrepancy'
import { findPayment } from '#db/payment/payment'
import { findTimeline } from '#db/timeline'
import type { TimelineEntry } from '#db/timeline'
import type { Db } from '#db/database'
import { unreachable } from '#domain/assert'
import {
  DISCREPANCY_DECISIONS,
  DISCREPANCY_KINDS,
  DISCREPANCY_STATES,
  isAllowed,
} from '#domain/discrepancy'
import type { DiscrepancyDecision } from '#domain/discrepancy'
import { parsePaymentId } from '#domain/id'
import type { DiscrepancyState } from '#domain/state'
import { readActor, readReason, withActor } from './actor.ts'
import type { ActorOption } from './actor.ts'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption, Report } from './context.ts'
import { withDatabase } from './database.ts'
import { Failure } from './failure.ts'
import { readDiscrepancyId } from './id.ts'
import { readLimit } from './limit.ts'
import { loadMerchant } from './merchant-policy.ts'
import { withWork } from './work.ts'

interface ListOptions extends JsonOption {
  readonly state: DiscrepancyState
  readonly kind?: DiscrepancyKind
  readonly merchant?: string
  readonly limit: string
}

interface ResolveOptions extends JsonOption, ActorOption {
  readonly decision: DiscrepancyDecision
  readonly reason: string
  readonly version: string
}

/** What bills and our rows say differently, and what people decide about it. */
export function addDiscrepancyCommands(program: Command, context: Context): void {
  const root = program
    .command('discrepancy')
    .description('what bills and our books say differently')
  addCommand(root, 'list', 'show discrepancies')
    .addOption(
      new Option('--state <state>', 'which ones').choices(DISCREPANCY_STATES).default('open'),
    )
    .addOption(new Option('--kind <kind>', 'only of this kind').choices(DISCREPANCY_KINDS))
    .option('--merchant <id or name>', 'only of this merchant')
    .option('--limit <number>', 'at most so many', '100')
    .action((options: ListOptions) => list(context, options))
  addCommand(root, 'show <id>', 'both sides, and the whole story of the payment').action(
    (id: string, options: JsonOption) => show(context, id, options),
  )
  withActor(addCommand(root, 'resolve <id>', 'decide; "discrepancy show" lists what is allowed'))
    .addOption(
      new Option('--decision <decision>', 'what is done')
        .choices(DISCREPANCY_DECISIONS)
        .makeOptionMandatory(),
    )
    .requiredOption('--version <number>', 'the version that you have read')
    .requiredOption('--reason <text>', 'why, for the audit')
    .action((id: string, options: ResolveOptions) => resolve(context, id, options))
}

async function list(context: Context, options: ListOptions): Promise<void> {
  const { state, kind, merchant } = options
  const limit = readLimit(options.limit)
  const found = await withDatabase(context, async (db) =>
    findDiscrepancies(db, {
      merchantId: merchant === undefined ? undefined : (await loadMerchant(db, merchant)).id,
      state,
      kind,
      limit: limit + 1,
    }),
  )
  const rows = found.slice(0, limit)
  const isCut = found.length > limit
  const lines = [...rows.map(describe), ...(isCut ? ['there are more; raise --limit'] : [])]
  report(context, options, {
    json: { discrepancies: rows.map(toJson), has_more: isCut },
    text: lines.length === 0 ? 'no discrepancies' : lines.join('\n'),
  })
}

async function show(context: Context, text: string, options: JsonOption): Promise<void> {
  const id = readDiscrepancyId(text)
  const { row, timeline } = await withDatabase(context, async (db) => {
    const found = await findDiscrepancyById(db, id)
    if (found === undefined) throw missing(id)
    return { row: found, timeline: await readStory(db, found) }
  })
  report(context, options, {
    json: {
      ...toJson(row),
      timeline: timeline.map((entry) => ({ ...entry, at: entry.at.toISOString() })),
    },
    text: [
      describe(row),
      `evidence ${JSON.stringify(row.evidence)}`,
      ...(row.reason === null
        ? []
        : [`${row.decision ?? row.state} by ${row.decided_by ?? 'machine'}: ${row.reason}`]),
      ...timeline.map(({ at, kind, subject, content }) =>
        [at.toISOString(), kind, subject ?? '', JSON.stringify(content)].join('  '),
      ),
      `version ${row.version}; decide with --decision ${allowedNow(row).join(' | ')}`,
    ].join('\n'),
  })
}

async function readStory(db: Db, row: DiscrepancyRow): Promise<readonly TimelineEntry[]> {
  const named = row.evidence['payment']
  const paymentId = parsePaymentId(typeof named === 'string' ? named : '')
  const known = paymentId && (await findPayment(db, row.merchant_id, paymentId))
  return known === undefined ? [] : findTimeline(db, known.payment)
}

async function resolve(context: Context, text: string, options: ResolveOptions): Promise<void> {
  const request = {
    id: readDiscrepancyId(text),
    decision: options.decision,
    actor: readActor(options),
    reason: readReason(options.reason),
    version: readVersion(options.version),
  }
  const outcome = await withWork(context, (db, deps) => decideDiscrepancy(db, deps, request))
  report(context, options, tell(request.id, outcome))
}

function tell(id: string, outcome: DiscrepancyOutcome): Report {
  switch (outcome.kind) {
    case 'decided': {
      const { row } = outcome
      return {
        json: toJson(row),
        text: `discrepancy ${id} is ${row.state}: ${row.decision} by ${row.decided_by}`,
      }
    }
    case 'not_found':
      throw missing(id)
    case 'changed':
      throw new Failure(
        'usage',
        `it is version ${outcome.version} by now; "discrepancy show" it again`,
      )
    case 'not_allowed':
      throw new Failure('usage', 'this decision does not fit; "discrepancy show" lists what does')
    case 'impossible':
      throw new Failure('usage', outcome.problem)
    default:
      return unreachable(outcome)
  }
}

const missing = (id: string): Failure =>
  new Failure('usage', `there is no discrepancy ${id}; see "discrepancy list"`)

function readVersion(text: string): bigint {
  if (/^\d{1,15}$/.test(text)) return BigInt(text)
  throw new Failure('usage', '--version takes the number that "discrepancy show" tells')
}

const allowedNow = (row: DiscrepancyRow): readonly string[] =>
  DISCREPANCY_DECISIONS.filter((decision) => isAllowed(decision, row))

const describe = (row: DiscrepancyRow): string =>
  [
    row.id,
    row.state,
    row.kind,
    `${row.subject_kind} ${row.subject}`,
    row.business_date,
    `ours ${row.our_amount ?? '-'} fen, theirs ${row.their_amount ?? '-'} fen`,
  ].join('  ')

const toJson = (row: DiscrepancyRow) => ({
  discrepancy: row.id,
  merchant: row.merchant_id,
  kind: row.kind,
  subject_kind: row.subject_kind,
  subject: row.subject,
  business_date: row.business_date,
  state: row.state,
  our_amount: row.our_amount === null ? null : Number(row.our_amount),
  their_amount: row.their_amount === null ? null : Number(row.their_amount),
  evidence: row.evidence,
  decision: row.decision,
  reason: row.reason,
  decided_by: row.decided_by,
  version: Number(row.version),
  allowed_decisions: allowedNow(row),
})
