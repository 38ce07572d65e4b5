import type { Command } from 'commander'
import type { BillTimes } from '#channel/bill'
import type { Db } from '#db/database'
import { findRunOwner } from '#db/run-request'
import type { RunOwner, RunRequest } from '#db/run-request'
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
  readonly reason: string
}

export const withDay = (command: Command): Command =>
  withActor(command)
    .requiredOption('--account <id>', 'an account of the merchant number')
    .requiredOption('--date <yyyy-mm-dd>', "the vendor's business day")
    .option('--reason <text>', 'why, for the audit', 'asked for by command')

/** The request that the options make. Throws for an account or a day that has no bill. */
export async function readDay(context: Context, db: Db, options: DayOption): Promise<RunRequest> {
  const actor = readActor(options)
  const reason = readReason(options.reason)
  const id = readAccountId(options.account)
  const owner = await findRunOwner(db, id)
  if (owner === undefined) throw new Failure('usage', `no account ${id}; see "channel list"`)
  const { dayEndHour, deadlineHours } = timesOf(owner)
  const now = context.clock.now()
  const businessDate = readDate(options.date, businessDateOf(now, dayEndHour))
  const deadlineAt = addMs(now, deadlineHours * HOUR_MS)
  return { owner, businessDate, now, deadlineAt, actor, reason }
}

function timesOf({ strategy }: RunOwner): BillTimes {
  const { billTimes } = findStrategy(strategy)
  if (billTimes === undefined) throw new Failure('usage', `there are no bills of ${strategy} yet`)
  return billTimes
}

function readDate(text: string, today: string): string {
  const day = new Date(`${text}T00:00:00Z`)
  const isDay = DATE.test(text) && day.toISOString().startsWith(text)
  if (isDay && text < today) return text
  throw new Failure('usage', `--date takes a day before ${today}, as yyyy-mm-dd`)
}
