import type { GrantRow } from '#db/points/points'
import { assert } from '#domain/assert'
import type { OrderId } from '#domain/id'
import { runPointsAward } from '#worker/job/points-award'
import { createPointsClient } from '#worker/points-client'
import type { Counter } from '../db/desk.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { openEventDesk, standingClock } from './event-desk.ts'
import type { EventDesk } from './event-desk.ts'

/** The desk with a points system, whose jobs the test runs itself. */
export interface PointsDesk extends EventDesk {
  paid(): Promise<Counter>
  grantsOf(orderId: OrderId): Promise<readonly GrantRow[]>
  grantOf(orderId: OrderId, kind?: 'grant' | 'revoke'): Promise<GrantRow>
  /** Runs the job once; says `done`, or what goes back to the queue. */
  run(grant: GrantRow, signal?: AbortSignal): Promise<string>
  /** What the points system did under the grant's key: `20 × 1` is twenty points once. */
  effects(grant: GrantRow): readonly string[]
  callsFor(grant: GrantRow): number
}

const TIMEOUT_MS = 200

export async function openPointsDesk(
  databaseUrl: string,
  service: PointsService,
): Promise<PointsDesk> {
  const clock = standingClock()
  const points = createPointsClient({ baseUrl: service.url, clock, timeoutMs: TIMEOUT_MS })
  const opened = await openEventDesk(databaseUrl, { points }, clock)
  const grantsOf = (orderId: OrderId): Promise<readonly GrantRow[]> =>
    opened.db
      .selectFrom('points_grant')
      .selectAll()
      .where('order_id', '=', orderId)
      .orderBy('id')
      .execute()
  return {
    ...opened,
    grantsOf,
    async paid() {
      const counter = await opened.order()
      await opened.pay(counter.first)
      return counter
    },
    async grantOf(orderId, kind = 'grant') {
      const row = (await grantsOf(orderId)).find((grant) => grant.kind === kind)
      assert(row !== undefined, `there is a ${kind}`)
      return row
    },
    run({ id: grantId, merchant_id: merchantId }, signal = new AbortController().signal) {
      const running = runPointsAward(opened.worker, { merchantId, grantId }, signal)
      return running.then(() => 'done', String)
    },
    effects: (grant) =>
      service
        .effects()
        .filter(({ key }) => key === grant.idempotency_key)
        .map(({ points: number, applied_count: count }) => `${number} × ${count}`),
    callsFor: (grant) =>
      service.requests().filter(({ path }) => path.endsWith(grant.idempotency_key)).length,
  }
}
