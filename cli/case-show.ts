import type { Command } from 'commander'
import { findCase, findCasePayment, findDecisions } from '#db/case/case-desk'
import type { DeskCase, MadeDecision } from '#db/case/case-desk'
import type { Db } from '#db/database'
import type { PaymentRow } from '#db/payment/payment'
import { TIMELINE_ENTRIES_MAX, findTimeline } from '#db/timeline'
import type { TimelineEntry } from '#db/timeline'
import { decisionsFor } from '#domain/case'
import type { CaseId } from '#domain/id'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption } from './context.ts'
import { withDatabase } from './database.ts'
import { Failure } from './failure.ts'
import { readCaseId } from './id.ts'

/** Both sides of a case: what the vendor says, and what we know. */
interface Story {
  readonly item: DeskCase
  readonly payment: PaymentRow | undefined
  readonly timeline: readonly TimelineEntry[]
  readonly decisions: readonly MadeDecision[]
}

export function addCaseShow(cases: Command, context: Context): void {
  addCommand(cases, 'show <id>', 'a case with the whole story of its payment').action(
    async (text: string, options: JsonOption) => {
      const id = readCaseId(text)
      const story = await withDatabase(context, (db) => loadStory(db, id))
      report(context, options, { json: toJson(story), text: describe(story) })
    },
  )
}

async function loadStory(db: Db, id: CaseId): Promise<Story> {
  const item = await findCase(db, id)
  if (item === undefined) throw new Failure('usage', `there is no case ${id}; see "case list"`)
  const payment = await findCasePayment(db, item)
  const timeline = payment === undefined ? [] : await findTimeline(db, payment)
  return { item, payment, timeline, decisions: await findDecisions(db, item) }
}

const allowedNow = ({ kind, state }: DeskCase): readonly string[] =>
  state === 'open' ? decisionsFor(kind) : []

const isCut = (timeline: readonly TimelineEntry[]): boolean =>
  timeline.length === TIMELINE_ENTRIES_MAX

function describe({ item, payment, timeline, decisions }: Story): string {
  return [
    `case ${item.id}: ${item.kind} of ${item.subject}, ${item.state}`,
    `merchant ${item.merchant_id} "${item.merchant_name}", opened ${item.opened_at.toISOString()}`,
    `evidence ${JSON.stringify(item.evidence)}`,
    ...(payment === undefined
      ? ['about no payment of ours']
      : [`payment ${payment.id}: ${payment.state}, ${describeMoney(payment)}`]),
    ...decisions.map(
      (made) => `${made.at.toISOString()}  ${made.action} by ${made.actor}: ${made.reason}`,
    ),
    ...timeline.map(describeEntry),
    ...(isCut(timeline) ? ['the timeline is longer'] : []),
    ...(item.state === 'open' ? [`decide with --decision ${allowedNow(item).join(' | ')}`] : []),
  ].join('\n')
}

const describeMoney = ({ amount, received_amount: received, refunded }: PaymentRow): string =>
  `${amount} fen asked, ${received === null ? 'the same' : `${received} fen`} accepted, ${refunded} fen refunded`

const describeEntry = ({ at, kind, subject, content }: TimelineEntry): string =>
  `${at.toISOString()}  ${kind}  ${subject ?? ''}  ${JSON.stringify(content)}`

const toJson = ({ item, payment, timeline, decisions }: Story) => ({
  case: item.id,
  kind: item.kind,
  subject: item.subject,
  state: item.state,
  merchant: item.merchant_id,
  merchant_name: item.merchant_name,
  evidence: item.evidence,
  opened_at: item.opened_at.toISOString(),
  resolved_at: item.resolved_at?.toISOString() ?? null,
  allowed_decisions: allowedNow(item),
  decisions: decisions.map((made) => ({ ...made, at: made.at.toISOString() })),
  payment: payment === undefined ? null : payment.id,
  timeline: timeline.map((entry) => ({ ...entry, at: entry.at.toISOString() })),
  timeline_has_more: isCut(timeline),
})
