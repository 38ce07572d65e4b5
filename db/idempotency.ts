import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { MerchantId } from '#domain/id'
import { around } from '#failpoint'
import type { Db } from './database.ts'

export interface KeyedRequest {
  readonly merchantId: MerchantId
  readonly key: string
  /** Hash of method, path and body. */
  readonly requestHash: string
}

/** Takes the key for this request. False: it is there already. */
export async function takeKey(db: Db, request: KeyedRequest): Promise<boolean> {
  const { rows } = await around('request.take', () => insertKey(request).execute(db))
  return rows.length > 0
}

/** As a part of another statement, where one commit less counts: a row when the key is taken, or not asked for. */
export const insertKey = (request: KeyedRequest | undefined): RawBuilder<unknown> =>
  request === undefined
    ? sql`SELECT 1`
    : sql`
      INSERT INTO idempotency_key (merchant_id, key, request_hash)
      VALUES (${request.merchantId}, ${request.key}, ${request.requestHash})
      ON CONFLICT DO NOTHING
      RETURNING key`

/** What a key that is there says about a request: answer as before, run it after all, or refuse. */
export type KeyOutcome =
  | { readonly kind: 'run' }
  | { readonly kind: 'replay'; readonly status: number; readonly body: string }
  | { readonly kind: 'running' }
  | { readonly kind: 'other_request' }

/** Says what an earlier request with this key has come to. */
export async function readKey(db: Db, request: KeyedRequest): Promise<KeyOutcome> {
  const row = await db
    .selectFrom('idempotency_key')
    .selectAll()
    .where('merchant_id', '=', request.merchantId)
    .where('key', '=', request.key)
    .executeTakeFirst()
  if (row === undefined) return { kind: 'running' }
  if (row.request_hash !== request.requestHash) return { kind: 'other_request' }
  if (row.status === null || row.body === null) {
    return (await takeOver(db, request)) ? { kind: 'run' } : { kind: 'running' }
  }
  return { kind: 'replay', status: Number(row.status), body: row.body }
}

/**
 * Takes a key whose gateway died between taking it and answering. No request runs for a minute.
 *
 * Running it again is safe: the order's lock finds the attempt that the dead one has committed.
 */
async function takeOver(db: Db, request: KeyedRequest): Promise<boolean> {
  const taken = await around('request.take-over', () =>
    db
      .updateTable('idempotency_key')
      .set({ created_at: sql`now()` })
      .where('merchant_id', '=', request.merchantId)
      .where('key', '=', request.key)
      .where('status', 'is', null)
      .where('created_at', '<', sql<Date>`now() - interval '60 s'`)
      .returning('key')
      .executeTakeFirst(),
  )
  return taken !== undefined
}

/** Keeps the answer: the same key gets the same one from now on. */
export async function keepAnswer(
  db: Db,
  request: KeyedRequest,
  answer: { readonly status: number; readonly body: string },
): Promise<void> {
  await around('request.keep', () =>
    db
      .updateTable('idempotency_key')
      .set({ status: BigInt(answer.status), body: answer.body })
      .where('merchant_id', '=', request.merchantId)
      .where('key', '=', request.key)
      .execute(),
  )
}

/** Nothing was decided: the key is free again. */
export async function releaseKey(db: Db, request: KeyedRequest): Promise<void> {
  await around('request.release', () =>
    db
      .deleteFrom('idempotency_key')
      .where('merchant_id', '=', request.merchantId)
      .where('key', '=', request.key)
      .where('status', 'is', null)
      .execute(),
  )
}
