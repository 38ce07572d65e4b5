import { Kysely, PostgresDialect } from 'kysely'
import type { Transaction } from 'kysely'
import pg from 'pg'
import type { Schema } from './schema.ts'

export type Db = Kysely<Schema>
export type Trx = Transaction<Schema>

export interface DatabaseOptions {
  readonly connectionsMax: number
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
}

/** Callbacks must be answered within 3 s: everything below gives up earlier. */
export const gatewayDatabase: DatabaseOptions = {
  connectionsMax: 8,
  statementTimeoutMs: 2000,
  lockTimeoutMs: 1000,
}

export const workerDatabase: DatabaseOptions = {
  connectionsMax: 10,
  statementTimeoutMs: 30_000,
  lockTimeoutMs: 2000,
}

/** Bills have millions of lines: reading and matching one takes its time. */
export const billDatabase: DatabaseOptions = {
  connectionsMax: 3,
  statementTimeoutMs: 15 * 60_000,
  lockTimeoutMs: 5000,
}

const CONNECT_TIMEOUT_MS = 1500
const CLIENT_MARGIN_MS = 500
const INT8 = 20
const DATE = 1082

const asText = (text: string): string => text

/**
 * bigint columns become `bigint` on this pool alone; a global parser would reach every library. A date stays
 * text: it has no zone, and a `Date` would give it this machine's.
 */
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (format === 'binary') return pg.types.getTypeParser(oid, format)
    if (oid === DATE) return asText
    return oid === INT8 ? BigInt : pg.types.getTypeParser(oid, format)
  },
}

/**
 * Opens a pool. `onError` hears about connections that died while idle.
 *
 * Each client gets a listener of its own: the pool takes its listener away while a client is checked out,
 * and a connection that is killed between two statements would end the process.
 */
export function openDatabase(
  url: string,
  options: DatabaseOptions,
  onError: (error: Error) => void,
): Db {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connectionsMax,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    query_timeout: options.statementTimeoutMs + CLIENT_MARGIN_MS,
    idle_in_transaction_session_timeout: options.statementTimeoutMs * 2,
    keepAlive: true,
    options: '-c search_path=pingzhang',
    types,
  })
  pool.on('error', onError)
  pool.on('connect', (client) => client.on('error', onError))
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
}
