import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { appendOnly, recordStateChange, stateMoves } from './guard.ts'

/** Vendors' bills, what they say line by line, and how that compares with our rows. */
export const billSchema = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) {
      // Constant text of this file: DDL has no parameters to bind.
      await sql.raw(statement).execute(db)
    }
  },
}

const KINDS = `'missing_here', 'missing_there', 'amount_differs', 'state_differs', 'fee_differs',
  'number_differs', 'duplicate', 'foreign', 'unclassified', 'points_differ'`

const statements = [
  `ALTER TABLE pingzhang.transaction_log DROP CONSTRAINT IF EXISTS transaction_log_kind_check,
     DROP CONSTRAINT IF EXISTS transaction_log_kind_check1`,
  `ALTER TABLE pingzhang.transaction_log ADD CONSTRAINT transaction_log_kind_check CHECK (kind IN ('create',
     'query', 'close', 'key', 'callback', 'return', 'refund', 'refund_query', 'bill'))`,
  `CREATE TABLE pingzhang.schedule_run (
     merchant_id text NOT NULL,
     task text NOT NULL CHECK (task IN ('bill', 'points')),
     vendor_merchant_id text NOT NULL,
     business_date date NOT NULL,
     id text NOT NULL,
     state text NOT NULL DEFAULT 'waiting',
     attempts bigint NOT NULL DEFAULT 0,
     due_at timestamptz,
     deadline_at timestamptz NOT NULL,
     note text,
     finished_at timestamptz,
     -- Two workers, one run.
     PRIMARY KEY (merchant_id, task, vendor_merchant_id, business_date),
     UNIQUE (merchant_id, id),
     FOREIGN KEY (merchant_id, vendor_merchant_id) REFERENCES pingzhang.vendor_merchant (merchant_id, id),
     CHECK ((state IN ('waiting', 'loaded')) = (due_at IS NOT NULL))
   )`,
  `CREATE INDEX schedule_run_due ON pingzhang.schedule_run (due_at) WHERE due_at IS NOT NULL`,
  `CREATE TABLE pingzhang.bill_file (
     merchant_id text NOT NULL REFERENCES pingzhang.merchant (id),
     digest text NOT NULL CHECK (length(digest) = 64),
     bytes bigint NOT NULL,
     headers jsonb NOT NULL,
     -- Why it was refused; kept for whoever looks.
     broken text,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, digest)
   )`,
  `CREATE TABLE pingzhang.bill_file_part (
     merchant_id text NOT NULL,
     digest text NOT NULL,
     part bigint NOT NULL,
     content bytea NOT NULL,
     PRIMARY KEY (merchant_id, digest, part),
     FOREIGN KEY (merchant_id, digest) REFERENCES pingzhang.bill_file (merchant_id, digest)
   )`,
  `CREATE TABLE pingzhang.bill (
     merchant_id text NOT NULL,
     id text NOT NULL,
     vendor_merchant_id text NOT NULL,
     kind text NOT NULL CHECK (kind IN ('transaction', 'fund')),
     business_date date NOT NULL,
     revision bigint NOT NULL,
     -- Null: the vendor says that there was no business.
     digest text,
     lines bigint NOT NULL,
     payments bigint NOT NULL,
     payment_amount bigint NOT NULL,
     refunds bigint NOT NULL,
     refund_amount bigint NOT NULL,
     fee numeric(18, 5) NOT NULL,
     loaded_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, vendor_merchant_id, kind, business_date, revision),
     FOREIGN KEY (merchant_id, vendor_merchant_id) REFERENCES pingzhang.vendor_merchant (merchant_id, id),
     FOREIGN KEY (merchant_id, digest) REFERENCES pingzhang.bill_file (merchant_id, digest)
   )`,
  `CREATE TABLE pingzhang.bill_line (
     merchant_id text NOT NULL,
     bill_id text NOT NULL,
     line bigint NOT NULL,
     business_date date NOT NULL,
     kind text NOT NULL,
     payment_number text NOT NULL,
     channel_payment_id text NOT NULL,
     refund_number text NOT NULL,
     channel_refund_id text NOT NULL,
     amount bigint NOT NULL,
     fee numeric(18, 5),
     rate numeric(9, 6),
     state_text text NOT NULL,
     at timestamptz,
     PRIMARY KEY (merchant_id, bill_id, line, business_date)
   ) PARTITION BY RANGE (business_date)`,
  `CREATE TABLE pingzhang.bill_line_default PARTITION OF pingzhang.bill_line DEFAULT`,
  `CREATE TABLE pingzhang.reconciliation (
     merchant_id text NOT NULL,
     id text NOT NULL,
     vendor_merchant_id text NOT NULL,
     channel text NOT NULL,
     business_date date NOT NULL,
     version bigint NOT NULL,
     bill_id text NOT NULL,
     lines bigint NOT NULL,
     matched bigint NOT NULL,
     our_amount bigint NOT NULL,
     their_amount bigint NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, vendor_merchant_id, business_date, version),
     FOREIGN KEY (merchant_id, vendor_merchant_id) REFERENCES pingzhang.vendor_merchant (merchant_id, id),
     FOREIGN KEY (merchant_id, bill_id) REFERENCES pingzhang.bill (merchant_id, id)
   )`,
  `CREATE TABLE pingzhang.discrepancy (
     merchant_id text NOT NULL,
     id text NOT NULL,
     vendor_merchant_id text NOT NULL,
     business_date date NOT NULL,
     -- The run that saw it last; a later version carries what is decided on.
     reconciliation_id text NOT NULL,
     kind text NOT NULL CHECK (kind IN (${KINDS})),
     subject_kind text NOT NULL CHECK (subject_kind IN ('payment', 'refund', 'points', 'day')),
     subject text NOT NULL,
     our_amount bigint,
     their_amount bigint,
     evidence jsonb NOT NULL,
     state text NOT NULL,
     decision text,
     reason text,
     decided_by text,
     due_at timestamptz,
     version bigint NOT NULL DEFAULT 1,
     opened_at timestamptz NOT NULL DEFAULT now(),
     resolved_at timestamptz,
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, vendor_merchant_id, business_date, kind, subject_kind, subject),
     FOREIGN KEY (merchant_id, reconciliation_id) REFERENCES pingzhang.reconciliation (merchant_id, id)
   )`,
  `CREATE INDEX discrepancy_due ON pingzhang.discrepancy (due_at) WHERE due_at IS NOT NULL`,
  ...stateMoves(),
  recordStateChange('schedule_run'),
  recordStateChange('discrepancy'),
  appendOnly('bill_file_part'),
  appendOnly('bill'),
  appendOnly('reconciliation'),
]
