import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { appendOnly, recordStateChange, stateMoves } from './guard.ts'

/** Refunds, policies for late and double money, take-backs of points, audit, and a log in months. */
export const refundSchema = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) {
      // Constant text of this file: DDL has no parameters to bind.
      await sql.raw(statement).execute(db)
    }
  },
}

const statements = [
  `ALTER TABLE pingzhang.merchant ADD COLUMN late_policy text NOT NULL DEFAULT 'ask'
     CHECK (late_policy IN ('revive', 'refund', 'ask'))`,
  // Wanted: the merchant takes no money any more; closed: nobody can pay any more.
  `ALTER TABLE pingzhang.customer_order ADD COLUMN close_wanted boolean NOT NULL DEFAULT false`,
  `ALTER TABLE pingzhang.payment
     ADD COLUMN refund_reserved bigint NOT NULL DEFAULT 0,
     ADD COLUMN refunded bigint NOT NULL DEFAULT 0,
     ADD COLUMN refundable boolean NOT NULL DEFAULT true,
     ADD COLUMN query_asked_at timestamptz,
     ADD COLUMN received_amount bigint CHECK (received_amount > 0),
     ADD CONSTRAINT payment_refund_within CHECK (0 <= refunded AND refunded <= refund_reserved
       AND refund_reserved <= coalesce(received_amount, amount)),
     ADD CONSTRAINT payment_refund_of_paid CHECK (refund_reserved = 0 OR state = 'paid')`,
  `CREATE TABLE pingzhang.refund (
     merchant_id text NOT NULL,
     id text NOT NULL,
     payment_id text NOT NULL,
     channel_account_id text NOT NULL,
     origin text NOT NULL CHECK (origin IN ('merchant', 'policy', 'operator', 'vendor')),
     amount bigint NOT NULL CHECK (amount > 0),
     currency text NOT NULL CHECK (currency = 'CNY'),
     reason text NOT NULL,
     request_key text,
     state text NOT NULL DEFAULT 'requested',
     vendor_time text,
     channel_refund_id text,
     refusal_code text,
     attempts bigint NOT NULL DEFAULT 0,
     sent_at timestamptz,
     due_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     succeeded_at timestamptz,
     PRIMARY KEY (merchant_id, id),
     FOREIGN KEY (merchant_id, payment_id) REFERENCES pingzhang.payment (merchant_id, id),
     FOREIGN KEY (merchant_id, channel_account_id) REFERENCES pingzhang.channel_account (merchant_id, id),
     UNIQUE (merchant_id, channel_account_id, channel_refund_id),
     -- A request that is repeated after a crash finds its refund in place of making a second one.
     UNIQUE (merchant_id, request_key),
     CHECK ((state IN ('requested', 'sent', 'accepted')) = (due_at IS NOT NULL)),
     CHECK (state <> 'succeeded' OR succeeded_at IS NOT NULL)
   )`,
  `CREATE INDEX refund_by_payment ON pingzhang.refund (merchant_id, payment_id)`,
  `CREATE INDEX refund_due ON pingzhang.refund (due_at) WHERE due_at IS NOT NULL`,
  `ALTER TABLE pingzhang.points_grant ADD COLUMN refund_id text,
     ADD FOREIGN KEY (merchant_id, refund_id) REFERENCES pingzhang.refund (merchant_id, id),
     ADD CHECK ((kind = 'revoke') = (refund_id IS NOT NULL))`,
  `CREATE UNIQUE INDEX points_grant_one_per_refund ON pingzhang.points_grant (merchant_id, refund_id)
     WHERE kind = 'revoke'`,
  ...stateMoves(),
  recordStateChange('refund'),
  `CREATE TABLE pingzhang.audit (
     merchant_id text NOT NULL REFERENCES pingzhang.merchant (id),
     place bigint NOT NULL,
     id text NOT NULL,
     actor text NOT NULL CHECK (actor <> ''),
     action text NOT NULL,
     subject text NOT NULL,
     reason text NOT NULL,
     content jsonb NOT NULL,
     at timestamptz NOT NULL,
     previous_hash text NOT NULL,
     hash text NOT NULL CHECK (length(hash) = 64),
     PRIMARY KEY (merchant_id, place),
     UNIQUE (merchant_id, id)
   )`,
  appendOnly('audit'),
  `ALTER TABLE pingzhang.transaction_log RENAME TO transaction_log_unparted`,
  `ALTER TABLE pingzhang.transaction_log_unparted RENAME CONSTRAINT transaction_log_pkey TO unparted_pkey`,
  `DROP INDEX pingzhang.transaction_log_by_payment`,
  `CREATE TABLE pingzhang.transaction_log (
     merchant_id text NOT NULL,
     id text NOT NULL,
     channel text NOT NULL,
     payment_id text,
     refund_id text,
     notification_id text,
     kind text NOT NULL CHECK (kind IN ('create', 'query', 'close', 'key', 'callback', 'return', 'refund',
       'refund_query')),
     content jsonb NOT NULL,
     at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id, at)
   ) PARTITION BY RANGE (at)`,
  `CREATE INDEX transaction_log_by_payment ON pingzhang.transaction_log (merchant_id, payment_id)`,
  `CREATE TABLE pingzhang.transaction_log_default PARTITION OF pingzhang.transaction_log DEFAULT`,
  `DO $$ DECLARE month timestamp; BEGIN
     FOR month IN
       SELECT generate_series(date_trunc('month', coalesce(min(at), now()) AT TIME ZONE 'UTC'),
         date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', interval '1 month')
       FROM pingzhang.transaction_log_unparted
     LOOP
       EXECUTE format('CREATE TABLE pingzhang.%I PARTITION OF pingzhang.transaction_log FOR VALUES FROM (%L) TO (%L)',
         'transaction_log_' || to_char(month, 'YYYYMM'), month AT TIME ZONE 'UTC',
         (month + interval '1 month') AT TIME ZONE 'UTC');
     END LOOP;
   END $$`,
  `INSERT INTO pingzhang.transaction_log (merchant_id, id, channel, payment_id, notification_id, kind, content, at)
     SELECT merchant_id, id, channel, payment_id, notification_id, kind, content, at
     FROM pingzhang.transaction_log_unparted`,
  `DROP TABLE pingzhang.transaction_log_unparted`,
  appendOnly('transaction_log'),
]
