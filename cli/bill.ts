import { Option } from 'commander'
import type { Command } from 'commander'
import { findRuns } from '#db/bill/run-list'
import type { ListedRun } from '#db/bill/run-list'
import { requestBill } from '#db/bill/run-request'
import { readDay, withDay } from './bill-day.ts'
import type { DayOption } from './bill-day.ts'
import { addBillLoad } from './bill-load.ts'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { Failure } from './failure.ts'
import { readLimit } from './limit.ts'
import { withWork } from './work.ts'

/** Vendors' bills, by hand: what the schedules do by themselves. */
export function addBillCommands(program: Command, context: Context): void {
  const bill = program.command('bill').description("vendors' daily bills")
  addCommand(bill, 'list', 'show the days whose bills are wanted, the newest first')
    .addOption(
      new Option('--state <state>', 'which ones').choices(['waiting', 'loaded', 'done', 'failed']),
    )
    .option('--limit <number>', 'at most so many', '100')
    .action((options: ListOptions) => list(context, options))
  withDay(
    addCommand(bill, 'fetch', "let the worker fetch and match a day's bill, again or now"),
  ).action((options: DayOption) => fetchDay(context, options))
  addBillLoad(bill, context)
}

interface ListOptions extends JsonOption {
  readonly state?: ListedRun['state']
  readonly limit: string
}

async function list(context: Context, options: ListOptions): Promise<void> {
  const limit = readLimit(options.limit)
  const runs = await withDatabase(context, (db) => findRuns(db, { state: options.state, limit }))
  report(context, options, {
    json: { runs: runs.map(toJson) },
    text: runs.length === 0 ? 'no days' : runs.map(describe).join('\n'),
  })
}

const toJson = (run: ListedRun) => ({
  run: run.id,
  task: run.task,
  business_date: run.business_date,
  channel: run.channel,
  vendor_merchant: run.number,
  merchant: run.merchant_id,
  state: run.state,
  note: run.note,
  deadline_at: run.deadline_at.toISOString(),
})

const describe = (run: ListedRun): string =>
  [run.business_date, run.task, run.channel, run.number, run.state, run.note ?? ''].join('  ')

async function fetchDay(context: Context, options: DayOption): Promise<void> {
  const run = await withWork(context, async (db, { jobs }) => {
    const request = await readDay(context, db, options)
    return requestBill(db, jobs, request)
  })
  if (run === undefined) {
    throw new Failure('usage', `the bill of ${options.date} is loaded and waits to be matched`)
  }
  report(context, options, {
    json: { run, business_date: options.date, state: 'waiting' },
    text: `the bill of ${options.date} will be fetched by a worker; "bill list" tells how it went`,
  })
}
