import { sql } from 'kysely'
import { deadLetterOf, QUEUE_NAMES } from '#domain/job'
import { findLostEvents, findViolations } from '../support/invariant.ts'
import type { Observations } from '../support/invariant.ts'
import { firedAt } from '../failpoint/control.ts'
import type { Cell, StoryName } from './cell.ts'
import type { Lane } from './lane.ts'
import { PAID, POINTS, POINTS_BACK, REFUNDED } from './story.ts'
import type { Told } from './story.ts'

/** Everything that is wrong at the end of a story; empty when every fen is where it belongs. */
export async function judge(lane: Lane, cell: Cell, told: Told): Promise<string[]> {
  const broken = await findViolations(lane.db, observe(lane))
  return [
    ...broken.map(({ invariant, subject, problem }) => `${invariant} ${subject}: ${problem}`),
    ...(await compareRows(lane, told)),
    ...compare('the vendor', atVendor(lane, told), {
      orders: 1,
      refunds: [{ number: told.refundId, amount: REFUNDED, status: 'SUCCESS' }],
    }),
    ...compare('points', pointsOf(lane, told), [
      { kind: 'grant', points: POINTS, times: 1 },
      { kind: 'revoke', points: POINTS_BACK, times: 1 },
    ]),
    ...compare('told', toldOf(lane, told), ['payment.paid', 'refund.succeeded']),
    ...(await compareLog(lane, cell, told)),
    ...(await findLeft(lane)),
  ]
}

/** I1 at this moment: the vendor has an acknowledgement, and there is no row. */
export async function expectStored(lane: Lane): Promise<void> {
  const [lost] = await findLostEvents(lane.db, observe(lane))
  if (lost !== undefined) throw new Error(`${lost.invariant} ${lost.subject}: ${lost.problem}`)
}

const observe = (lane: Lane): Observations => ({
  acknowledged: {
    accountId: lane.accountId,
    eventKeys: lane.emulator
      .deliveries()
      .filter(({ acknowledged }) => acknowledged)
      .map(({ eventId }) => `evt:${eventId}`),
  },
  effects: lane.points.effects(),
})

function compare(what: string, found: unknown, expected: unknown): string[] {
  const [is, should] = [JSON.stringify(found), JSON.stringify(expected)]
  return is === should ? [] : [`${what}: expected ${should}, got ${is}`]
}

async function compareRows({ db }: Lane, { paymentId, refundId }: Told): Promise<string[]> {
  const { rows } = await sql`
    SELECT o.state AS order, p.state, p.disposition, p.amount::int, p.refund_reserved::int AS reserved,
           p.refunded::int, r.state AS refund, r.amount::int AS refund_amount,
           (SELECT count(*)::int FROM payment a WHERE a.order_id = o.id) AS attempts,
           (SELECT count(*)::int FROM refund a WHERE a.payment_id = p.id) AS refunds
    FROM payment p JOIN customer_order o ON o.id = p.order_id AND o.paid_payment_id = p.id
    JOIN refund r ON r.payment_id = p.id AND r.id = ${refundId}
    WHERE p.id = ${paymentId}`.execute(db)
  return compare('rows', rows, [
    {
      order: 'partly_refunded',
      state: 'paid',
      disposition: 'counted',
      amount: PAID,
      reserved: REFUNDED,
      refunded: REFUNDED,
      refund: 'succeeded',
      refund_amount: REFUNDED,
      attempts: 1,
      refunds: 1,
    },
  ])
}

const atVendor = ({ emulator }: Lane, { paymentId }: Told) => ({
  orders: emulator.orders().filter(({ body }) => body.out_trade_no === paymentId).length,
  refunds: emulator
    .refundsOf(paymentId)
    .map(({ outRefundNo: number, amount, status }) => ({ number, amount, status })),
})

const pointsOf = ({ points }: Lane, { userId }: Told) =>
  points
    .effects()
    .filter(({ user_id: user }) => user === userId)
    .map(({ kind, points: count, applied_count: times }) => ({ kind, points: count, times }))

/** Once each, by the event's own id: a repeat of a delivery tells the merchant nothing new. */
const toldOf = ({ merchant }: Lane, { paymentId }: Told): string[] =>
  merchant
    .accepted()
    .filter(({ body }) => body.includes(paymentId))
    .map(({ type }) => String(type))
    .toSorted()

/** How often each kind stands in the log at least; a callback's row stands there exactly once. */
const LOGGED: Readonly<Record<StoryName, Readonly<Record<string, number>>>> = {
  sale: { create: 1, callback: 2, refund: 1 },
  silence: { create: 1, callback: 0, query: 1, refund: 1 },
}

/** The log is complete: each callback once, and every kind of exchange with the vendor that had an effect. */
async function compareLog(lane: Lane, cell: Cell, told: Told): Promise<string[]> {
  const { rows } = await sql<{ kind: string; count: number }>`
    SELECT CASE kind WHEN 'refund_query' THEN 'refund' ELSE kind END AS kind, count(*)::int AS count
    FROM transaction_log WHERE payment_id = ${told.paymentId} GROUP BY 1`.execute(lane.db)
  const counts = new Map(rows.map(({ kind, count }) => [kind, count]))
  const isAllowed = await brokeInRefund(lane, cell, told)
  return Object.entries(LOGGED[cell.story]).flatMap(([kind, expected]) => {
    const count = counts.get(kind) ?? 0
    const isMissing = kind === 'callback' ? count !== expected : count < expected
    return isMissing && !(kind === 'refund' && isAllowed)
      ? [`log: expected ${expected} of ${kind}, got ${count}`]
      : []
  })
}

/**
 * Whether the worker broke while the refund was at the vendor.
 *
 * Then nobody may be left to write down what was said, and the vendor's callback may tell the end before a repeat does.
 */
async function brokeInRefund(lane: Lane, cell: Cell, { refundId }: Told): Promise<boolean> {
  const at = firedAt(lane.controls.worker)
  if (cell.process !== 'worker' || at === undefined) return false
  const { rows } = await sql`
    SELECT 1 FROM state_change
    WHERE subject_kind = 'refund' AND subject_id = ${refundId} AND to_state IN ('sent', 'succeeded')
    HAVING ${at} BETWEEN min(at) FILTER (WHERE to_state = 'sent') AND max(at)`.execute(lane.db)
  return rows.length > 0
}

/** Nothing of this needs a person, and no job has died (I16). */
async function findLeft({ db }: Lane): Promise<string[]> {
  const dead = QUEUE_NAMES.map(deadLetterOf)
  const { rows } = await sql<{ left: string }>`
    SELECT 'case ' || kind || ' ' || subject AS left FROM open_case
    UNION ALL SELECT 'dead letter ' || name FROM pgboss.job WHERE name = ANY (${dead}::text[])`.execute(
    db,
  )
  return rows.map(({ left }) => `left: ${left}`)
}
