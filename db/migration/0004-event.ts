import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { appendOnly, recordStateChange, stateMoves } from './guard.ts'

/** What merchants are told: where, what, and every attempt. */
export const eventSchema = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) {
      // Constant text of this file: DDL has no parameters to bind.
      await sql.raw(statement).execute(db)
    }
  },
}

const statements = [
  `CREATE TABLE pingzhang.event_endpoint (
     merchant_id text NOT NULL REFERENCES pingzhang.merchant (id),
     id text NOT NULL,
     url text NOT NULL,
     sealed bytea NOT NULL,
     previous_sealed bytea,
     previous_until timestamptz,
     enabled boolean NOT NULL DEFAULT true,
     failures bigint NOT NULL DEFAULT 0,
     paused_until timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id)
   )`,
  `CREATE TABLE pingzhang.merchant_event (
     merchant_id text NOT NULL REFERENCES pingzhang.merchant (id),
     id text NOT NULL,
     type text NOT NULL,
     subject text NOT NULL,
     order_id text,
     sequence bigint NOT NULL,
     body text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id),
     -- A repeat of what caused it tells nothing new.
     UNIQUE (merchant_id, type, subject)
   )`,
  `CREATE INDEX merchant_event_by_order ON pingzhang.merchant_event (merchant_id, order_id)`,
  `CREATE TABLE pingzhang.event_delivery (
     merchant_id text NOT NULL,
     id text NOT NULL,
     event_id text NOT NULL,
     endpoint_id text NOT NULL,
     state text NOT NULL DEFAULT 'pending',
     attempts bigint NOT NULL DEFAULT 0,
     due_at timestamptz,
     delivered_at timestamptz,
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, event_id, endpoint_id),
     FOREIGN KEY (merchant_id, event_id) REFERENCES pingzhang.merchant_event (merchant_id, id),
     FOREIGN KEY (merchant_id, endpoint_id) REFERENCES pingzhang.event_endpoint (merchant_id, id),
     CHECK ((state = 'pending') = (due_at IS NOT NULL))
   )`,
  `CREATE INDEX event_delivery_due ON pingzhang.event_delivery (due_at) WHERE due_at IS NOT NULL`,
  `CREATE TABLE pingzhang.merchant_event_attempt (
     merchant_id text NOT NULL,
     id text NOT NULL,
     delivery_id text NOT NULL,
     attempt bigint NOT NULL,
     status bigint,
     error text,
     elapsed_ms bigint NOT NULL,
     at timestamptz NOT NULL,
     PRIMARY KEY (merchant_id, id),
     FOREIGN KEY (merchant_id, delivery_id) REFERENCES pingzhang.event_delivery (merchant_id, id)
   )`,
  `CREATE INDEX merchant_event_attempt_by_delivery
     ON pingzhang.merchant_event_attempt (merchant_id, delivery_id)`,
  ...stateMoves(),
  recordStateChange('event_delivery'),
  appendOnly('merchant_event'),
  appendOnly('merchant_event_attempt'),
]
