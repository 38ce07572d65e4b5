import { sql } from 'kysely'
import type { Db } from '#db/database'
import type { AppliedEffect } from '../emulator/points/ledger.ts'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import {
  POINTS_MISSING,
  findDoubleEvents,
  findForgottenNotifications,
  findIllegalMoves,
  findLostEvents,
  findUnfoundedPayments,
  findViolations,
  findWrongPoints,
} from '../support/invariant.ts'
import { findExceedingRefunds, findForgottenRefunds } from '../support/refund-invariant.ts'
import type { World } from './world.ts'

/** What the points system has done for users of this database: their names begin with their merchant's. */
const effectsOf = ({ town, merchants }: World): readonly AppliedEffect[] =>
  town.points
    .effects()
    .filter(({ user_id: user }) => [...merchants].some((id) => user.startsWith(`${id}-`)))

/** What must hold after every single step, whatever is still on its way (design, section 7). */
export async function findDangers(world: World): Promise<string[]> {
  const { db } = world
  const looks = await Promise.all([
    findLost(world),
    findWrongPoints(db, effectsOf(world)),
    findIllegalMoves(db),
    findDoubleEvents(db),
    findForgottenNotifications(db),
    findForgottenRefunds(db),
    findUnfoundedPayments(db),
    findExceedingRefunds(db),
    findBrokenAudit(db),
  ])
  const found = looks.flat().filter(({ problem }) => problem !== POINTS_MISSING)
  return [
    ...found.map(({ invariant, subject, problem }) => `${invariant} ${subject}: ${problem}`),
    ...(await findLostWakeUps(db)),
  ]
}

/** All invariants, when nothing is on its way any more. */
export async function findUnfinished(world: World): Promise<string[]> {
  const acknowledged = { accountId: world.main.id, eventKeys: [...world.main.acknowledged] }
  const found = await findViolations(world.db, { acknowledged, effects: effectsOf(world) })
  return found.map(({ invariant, subject, problem }) => `${invariant} ${subject}: ${problem}`)
}

async function findLost({ db, main, other }: World) {
  const found = []
  for (const { id: accountId, acknowledged } of [main, other]) {
    const seen = { acknowledged: { accountId, eventKeys: [...acknowledged] } }
    found.push(...(await findLostEvents(db, seen)))
  }
  return found
}

/**
 * I16: a job is completed only when its work is done. What still waits has a job that comes back, or a dead
 * letter; the sweeper would find it, too, but much later.
 */
async function findLostWakeUps(db: Db): Promise<string[]> {
  const { rows } = await sql<{ subject: string }>`
    SELECT 'grant ' || g.id AS subject FROM points_grant g
    WHERE g.kind = 'grant' AND g.state IN ('pending', 'sent') AND NOT EXISTS (
      SELECT 1 FROM pgboss.job j WHERE j.name = 'points-award' AND j.state <> 'completed'
      AND j.data ->> 'grantId' = g.id)
    UNION ALL
    SELECT 'notification ' || n.id FROM notification n
    WHERE n.state = 'received' AND n.facts ->> 'kind' = 'payment' AND NOT EXISTS (
      SELECT 1 FROM pgboss.job j WHERE j.name = 'order-status' AND j.state <> 'completed'
      AND j.data -> 'notificationIds' ? n.id)`.execute(db)
  return rows.map(({ subject }) => `I16 ${subject}: waits, and its job is completed`)
}
