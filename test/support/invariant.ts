import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '#db/database'
import { notificationHasCase } from '#db/notification/notification-case'
import { movesBySubject } from '#domain/state'
import type { StateSubject } from '#domain/state'
import type { AppliedEffect } from '../emulator/points/ledger.ts'
import { findBrokenAudit } from './audit-invariant.ts'
import { findRefundViolations } from './refund-invariant.ts'

/** One broken promise of design section 7. */
export interface Violation {
  readonly invariant: 'I1' | 'I2' | 'I3' | 'I4' | 'I8' | 'I9' | 'I10' | 'I17'
  readonly subject: string
  readonly problem: string
}

/** What others saw, independently of our database. */
export interface Observations {
  /** Keys of events that a vendor holds for acknowledged, with the account they went to. */
  readonly acknowledged: { readonly accountId: string; readonly eventKeys: readonly string[] }
  /** The points system's own books. */
  readonly effects: readonly AppliedEffect[]
}

/** Checks what must hold at any time, and, after quiet, that everything owed has been done. */
export async function findViolations(db: Db, seen: Observations): Promise<Violation[]> {
  return [
    ...(await findLostEvents(db, seen)),
    ...(await findWrongPoints(db, seen.effects)),
    ...(await findIllegalMoves(db)),
    ...(await findDoubleEvents(db)),
    ...(await findForgottenNotifications(db)),
    ...(await findUnfoundedPayments(db)),
    ...(await findRefundViolations(db, seen.effects)),
    ...(await findBrokenAudit(db)),
  ]
}

/** I1: no acknowledgement without a row. */
export async function findLostEvents(
  db: Db,
  { acknowledged }: Pick<Observations, 'acknowledged'>,
): Promise<Violation[]> {
  const subjects = await read(
    db,
    sql`SELECT a.event_key AS subject FROM unnest(${[...acknowledged.eventKeys]}::text[]) AS a (event_key)
        WHERE NOT EXISTS (SELECT 1 FROM notification n WHERE n.event_key = a.event_key
                          AND n.channel_account_id = ${acknowledged.accountId})`,
  )
  return violations('I1', subjects, 'acknowledged, but there is no row')
}

/** The one problem with points that time heals: they are on their way. */
export const POINTS_MISSING = 'paid, but the points system has no effect'

interface Earned {
  readonly key: string
  readonly user_id: string
  readonly points: bigint
  /** Refunded before the points were sent: none were given, and none are owed. */
  readonly is_void: boolean
}

/** I2: exactly one effect with the right number per paid order that earns points, and no other. */
export async function findWrongPoints(
  db: Db,
  effects: readonly AppliedEffect[],
): Promise<Violation[]> {
  // Computed from the order, not from our grant: a grant with a wrong number must be seen.
  const { rows } = await sql<Earned>`
    SELECT 'grant-' || o.id AS key, o.user_id,
           coalesce(p.received_amount, o.amount) / 100 * m.points_per_yuan AS points,
           o.state = 'refunded' AND EXISTS (
             SELECT 1 FROM points_grant g WHERE g.merchant_id = o.merchant_id AND g.order_id = o.id
             AND g.kind = 'grant' AND g.state = 'void') AS is_void
    FROM customer_order o JOIN merchant m ON m.id = o.merchant_id
    LEFT JOIN payment p ON p.merchant_id = o.merchant_id AND p.id = o.paid_payment_id
    WHERE o.state IN ('paid', 'partly_refunded', 'refunded')`.execute(db)
  const grants = effects.filter((effect) => effect.kind === 'grant')
  const earned = new Map(rows.map((row) => [row.key, row]))
  const granted = new Set(grants.map((effect) => effect.key))
  const missing = rows.filter((row) => row.points > 0n && !row.is_void && !granted.has(row.key))
  return [
    ...grants.flatMap((effect) => judgeEffect(effect, earned.get(effect.key))),
    ...violations(
      'I2',
      missing.map((row) => row.key),
      POINTS_MISSING,
    ),
  ]
}

function judgeEffect(effect: AppliedEffect, earned: Earned | undefined): Violation[] {
  const problem = effectProblem(effect, earned)
  return problem === undefined ? [] : violations('I2', [effect.key], problem)
}

function effectProblem(effect: AppliedEffect, earned: Earned | undefined): string | undefined {
  if (effect.applied_count !== 1) return `applied ${effect.applied_count} times`
  if (earned === undefined) return 'points for an order that is not paid'
  if (effect.user_id !== earned.user_id) return `points for user ${effect.user_id}`
  if (BigInt(effect.points) !== earned.points) {
    return `${effect.points} points in place of ${earned.points}`
  }
  return undefined
}

interface Change {
  readonly subject_kind: string
  readonly subject_id: string
  readonly from_state: string | null
  readonly to_state: string
}

/** I3: each chain of changes follows the tables of `domain/state` and ends in the row's state. */
export async function findIllegalMoves(db: Db): Promise<Violation[]> {
  const changes = await sql<Change>`
    SELECT subject_kind, subject_id, from_state, to_state FROM state_change ORDER BY at`.execute(db)
  const states = await sql<{ subject: string; state: string }>`
    SELECT 'payment ' || id AS subject, state FROM payment
    UNION ALL SELECT 'customer_order ' || id, state FROM customer_order
    UNION ALL SELECT 'points_grant ' || id, state FROM points_grant
    UNION ALL SELECT 'refund ' || id, state FROM refund
    UNION ALL SELECT 'notification ' || id, state FROM notification
    UNION ALL SELECT 'schedule_run ' || id, state FROM schedule_run
    UNION ALL SELECT 'discrepancy ' || id, state FROM discrepancy
    UNION ALL SELECT 'event_delivery ' || id, state FROM event_delivery
    UNION ALL SELECT 'open_case ' || id, state FROM open_case`.execute(db)
  const chains = Map.groupBy(changes.rows, (row) => `${row.subject_kind} ${row.subject_id}`)
  const current = new Map(states.rows.map((row) => [row.subject, row.state]))
  return [...new Set([...chains.keys(), ...current.keys()])].flatMap((subject) => {
    const problem = chainProblem(chains.get(subject) ?? [], subject, current.get(subject))
    return problem === undefined ? [] : violations('I3', [subject], problem)
  })
}

function chainProblem(
  chain: readonly Change[],
  subject: string,
  current: string | undefined,
): string | undefined {
  // Nothing is written down when a notification arrives: its own row tells that.
  const isNotification = subject.startsWith('notification ')
  let state: string | null = isNotification && chain.length > 0 ? 'received' : null
  for (const change of chain) {
    const { from_state: from, to_state: to } = change
    if (from !== state) return `moved from ${from}, but was ${state}`
    if (from !== null && !isMove(change.subject_kind, from, to))
      return `moved from ${from} to ${to}`
    state = to
  }
  if (isNotification && chain.length === 0) return undefined
  return state === current ? undefined : `the changes end in ${state}, the row in ${current}`
}

const isSubject = (kind: string): kind is StateSubject => kind in movesBySubject

const isMove = (kind: string, from: string, to: string): boolean =>
  isSubject(kind) && (movesBySubject[kind][from] ?? []).includes(to)

/** I8: one row per event, and the index that promises it exists and is valid. */
export async function findDoubleEvents(db: Db): Promise<Violation[]> {
  const doubled = await read(
    db,
    sql`SELECT event_key AS subject FROM notification
        GROUP BY merchant_id, channel_account_id, event_key HAVING count(*) > 1`,
  )
  const unguarded = await read(
    db,
    sql`SELECT 'notification' AS subject WHERE NOT EXISTS (
          SELECT 1 FROM pg_index i WHERE i.indrelid = 'notification'::regclass
          AND i.indisunique AND i.indisvalid AND i.indisready
          AND pg_get_indexdef(i.indexrelid) LIKE '%(merchant_id, channel_account_id, event_key)')`,
  )
  return [
    ...violations('I8', doubled, 'more than one row for the event'),
    ...violations('I8', unguarded, 'no valid unique index over the event'),
  ]
}

/** I9: what is not applied is due, or a person has a case about it. */
export async function findForgottenNotifications(db: Db): Promise<Violation[]> {
  const subjects = await read(
    db,
    sql`SELECT n.id AS subject FROM notification n
        WHERE n.state <> 'applied' AND n.due_at IS NULL AND NOT ${notificationHasCase}`,
  )
  return violations('I9', subjects, 'neither applied nor due, and without a case')
}

/** I10: an applied success names a paid payment of ours with its amount, currency, account and number. */
export async function findUnfoundedPayments(db: Db): Promise<Violation[]> {
  const subjects = await read(
    db,
    sql`SELECT n.id AS subject FROM notification n
        LEFT JOIN payment p ON p.merchant_id = n.merchant_id AND p.id = n.payment_number
        WHERE n.state = 'applied' AND n.facts ->> 'kind' = 'payment'
        AND n.facts ->> 'vendorState' = 'success'
        AND ('paid', coalesce(p.received_amount, p.amount)::text, p.currency, p.channel_account_id, p.channel_payment_id)
            IS DISTINCT FROM (p.state, n.facts ->> 'amountMinor', n.facts ->> 'currency',
                              n.channel_account_id, n.facts ->> 'channelPaymentId')
        -- An operator has taken the bill's amount for what was received; the discrepancy says so.
        AND NOT EXISTS (SELECT 1 FROM discrepancy d WHERE d.merchant_id = p.merchant_id
          AND d.evidence ->> 'payment' = p.id AND d.decision = 'adjust' AND d.their_amount = p.received_amount)`,
  )
  return violations('I10', subjects, 'applied to a payment with other values')
}

async function read(db: Db, query: RawBuilder<unknown>): Promise<string[]> {
  const { rows } = await query.$castTo<{ subject: string }>().execute(db)
  return rows.map((row) => row.subject)
}

const violations = (
  invariant: Violation['invariant'],
  subjects: readonly string[],
  problem: string,
): Violation[] => subjects.map((subject) => ({ invariant, subject, problem }))
