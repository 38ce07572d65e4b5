import { Option } from 'commander'
import type { Command } from 'commander'
import type { BillKind, BillTimes } from '#channel/bill'
import type { Db } from '#db/database'
import { findRunOwner } from '#db/bill/run-request'
import type { RunOwner, RunRequest } from '#db/bill/run-request'
import { businessDateOf } from '#domain/business-day'
import { addMs } from '#domain/time'
import { readActor, readReason, withActor } from './actor.ts'
import type { ActorOption } from './actor.ts'
import { findStrategy } from './channel-add.ts'
import type { Context, JsonOption } from './context.ts'
import { Failure } from './failure.ts'
import { readAccountId } from './id.ts'

const HOUR_MS = 3_600_000
const DATE = /^\d{4}-\d{2}-\d{2}$/

/** A day of an account's merchant number. */
export interface DayOption extends JsonOption, ActorOption {
  readonly account: string
  readonly date: string
  readonly kind: BillKind
  readonly reason: string
}

export const withDay = (command: Command): Command =>
  withActor(command)
    .requiredOption('--account <id>', 'an account of the merchant number')
    .requiredOption('--date <yyyy-mm-dd>', "the vendor's business day")
    .addOption(
      new Option('--kind <kind>', 'which of the bills it is')
        .choices(['transaction', 'fund'])
        .default('transaction'),
    )
    .option('--reason <text>', 'why, for the audit', 'asked for by command')

/** The request that the options make. Throws for an account or a day that has no bill. */
export async function readDay(context: Context, db: Db, options: DayOption): Promise<RunRequest> {
  const actor = readActor(options)
  const reason = readReason(options.reason)
  const id = readAccountId(options.account)
  const owner = await findRunOwner(db, id)
  if (owner === undefined) throw new Failure('usage', `no account ${id}; see "channel list"`)
  const { dayEndHour, deadlineHours } = timesOf(owner, options.kind)
  const task = options.kind === 'fund' ? 'fund' : 'bill'
  const now = context.clock.now()
  const businessDate = readDate(options.date, businessDateOf(now, dayEndHour))
  const deadlineAt = addMs(now, deadlineHours * HOUR_MS)
  return { owner, task, businessDate, now, deadlineAt, actor, reason }
}

function timesOf({ strategy }: RunOwner, kind: BillKind): BillTimes {
  const { billTimes } = findStrategy(strategy)
  if (billTimes?.kinds.includes(kind) !== true) {
    throw new Failure('usage', `there is no ${kind} bill of ${strategy}`)
  }
  return billTimes
}

function readDate(text: string, today: string): string {
  const day = new Date(`${text}T00:00:00Z`)
  const isDay = DATE.test(text) && day.toISOString().startsWith(text)
  if (isDay && text < today) return text
  throw new Failure('usage', `--date takes a day before ${today}, as yyyy-mm-dd`)
}
