import { formatTime, parseTime } from '#channel/alipay/wire'
import { create } from './vendor.ts'
import { buildChannel } from './support.ts'

/** Prints what this process makes of time; its zone is the parent's choice. */
const outcome = await create(buildChannel(), { method: 'page' })
const url =
  outcome.kind === 'created' && outcome.nextAction.type === 'form'
    ? new URL(outcome.nextAction.action)
    : undefined
process.stdout.write(
  JSON.stringify({
    offsetMinutes: new Date('2026-01-31T15:59:59Z').getTimezoneOffset(),
    vector: formatTime(new Date(1_600_538_598_726)),
    timestamp: url?.searchParams.get('timestamp'),
    read: parseTime('2026-01-31 23:59:58.123')?.toISOString(),
  }),
)
