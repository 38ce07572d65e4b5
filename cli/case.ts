import { Option } from 'commander'
import type { Command } from 'commander'
import { listCases } from '#db/case/case-desk'
import type { DeskCase } from '#db/case/case-desk'
import type { CaseState } from '#domain/state'
import { addCaseResolve } from './case-resolve.ts'
import { addCaseShow } from './case-show.ts'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { readLimit } from './limit.ts'
import { loadMerchant } from './merchant-policy.ts'

const LIMIT = '100'

interface ListOptions extends JsonOption {
  readonly state: CaseState | 'all'
  readonly kind?: string
  readonly merchant?: string
  readonly limit: string
}

/** What a machine must not decide. */
export function addCaseCommands(program: Command, context: Context): void {
  const cases = program.command('case').description('what waits for a person')
  addCommand(cases, 'list', 'show cases, the oldest first')
    .addOption(
      new Option('--state <state>', 'which ones')
        .choices(['open', 'resolved', 'all'])
        .default('open'),
    )
    .option('--kind <kind>', 'only of this kind')
    .option('--merchant <id or name>', 'only of this merchant')
    .option('--limit <number>', 'at most so many', LIMIT)
    .action((options: ListOptions) => list(context, options))
  addCaseShow(cases, context)
  addCaseResolve(cases, context)
}

async function list(context: Context, options: ListOptions): Promise<void> {
  const { state, kind, merchant } = options
  const limit = readLimit(options.limit)
  const found = await withDatabase(context, async (db) =>
    listCases(db, {
      merchantId: merchant === undefined ? undefined : (await loadMerchant(db, merchant)).id,
      state: state === 'all' ? undefined : state,
      kind,
      // One more than asked tells whether there are others.
      limit: limit + 1,
    }),
  )
  const cases = found.slice(0, limit)
  const isCut = found.length > limit
  const lines = [...cases.map(describe), ...(isCut ? ['there are more; raise --limit'] : [])]
  report(context, options, {
    json: { cases: cases.map(toJson), has_more: isCut },
    text: lines.length === 0 ? 'no cases' : lines.join('\n'),
  })
}

const describe = (item: DeskCase): string =>
  [
    item.id,
    item.state,
    item.kind,
    item.subject,
    item.opened_at.toISOString(),
    `of ${item.merchant_id} "${item.merchant_name}"`,
  ].join('  ')

const toJson = (item: DeskCase) => ({
  case: item.id,
  kind: item.kind,
  subject: item.subject,
  state: item.state,
  merchant: item.merchant_id,
  merchant_name: item.merchant_name,
  opened_at: item.opened_at.toISOString(),
  resolved_at: item.resolved_at?.toISOString() ?? null,
})
