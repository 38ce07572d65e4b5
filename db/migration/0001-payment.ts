import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { StateSubject } from '#domain/state'
import { appendOnly, recordStateChange, stateMoves } from './guard.ts'

/**
 * Everything that a payment needs, from the merchant to the case.
 *
 * `merchant_id` stands first in every key of a table that grows with payments, so that the schema can be
 * distributed by merchant later without a rewrite (design, section 12).
 */
export const initialSchema = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of [...tables, ...guards()]) {
      // Constant text of this file: DDL has no parameters to bind.
      await sql.raw(statement).execute(db)
    }
  },
}

const tables = [
  `CREATE SCHEMA IF NOT EXISTS pingzhang`,
  `CREATE TABLE pingzhang.merchant (
     id text PRIMARY KEY,
     name text NOT NULL UNIQUE CHECK (name <> ''),
     points_per_yuan bigint NOT NULL DEFAULT 1 CHECK (points_per_yuan >= 0),
     created_at timestamptz NOT NULL DEFAULT now()
   )`,
  `CREATE TABLE pingzhang.api_key (
     merchant_id text NOT NULL REFERENCES pingzhang.merchant (id),
     id text NOT NULL,
     hash text NOT NULL UNIQUE CHECK (length(hash) = 64),
     shown_prefix text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     revoked_at timestamptz,
     PRIMARY KEY (merchant_id, id)
   )`,
  `CREATE TABLE pingzhang.vendor_merchant (
     merchant_id text NOT NULL REFERENCES pingzhang.merchant (id),
     id text NOT NULL,
     channel text NOT NULL,
     number text NOT NULL,
     mode text NOT NULL CHECK (mode IN ('live', 'test')),
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, channel, number, mode)
   )`,
  `CREATE TABLE pingzhang.channel_account (
     merchant_id text NOT NULL REFERENCES pingzhang.merchant (id),
     id text NOT NULL UNIQUE,
     vendor_merchant_id text NOT NULL,
     name text NOT NULL,
     channel text NOT NULL,
     strategy text NOT NULL,
     settings jsonb NOT NULL,
     identity jsonb NOT NULL,
     accepting boolean NOT NULL DEFAULT false,
     retired boolean NOT NULL DEFAULT false,
     version bigint NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, name),
     FOREIGN KEY (merchant_id, vendor_merchant_id) REFERENCES pingzhang.vendor_merchant (merchant_id, id),
     CHECK (NOT (accepting AND retired))
   )`,
  `CREATE TABLE pingzhang.channel_key (
     merchant_id text NOT NULL,
     id text NOT NULL,
     channel_account_id text NOT NULL,
     purpose text NOT NULL CHECK (purpose IN ('merchant_private', 'vendor_public', 'symmetric')),
     serial text NOT NULL,
     sealed bytea NOT NULL,
     valid_from timestamptz,
     valid_until timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, channel_account_id, purpose, serial),
     FOREIGN KEY (merchant_id, channel_account_id) REFERENCES pingzhang.channel_account (merchant_id, id)
   )`,
  `CREATE TABLE pingzhang.customer_order (
     merchant_id text NOT NULL REFERENCES pingzhang.merchant (id),
     id text NOT NULL,
     order_number text NOT NULL CHECK (order_number <> ''),
     user_id text NOT NULL,
     amount bigint NOT NULL CHECK (amount > 0),
     currency text NOT NULL CHECK (currency = 'CNY'),
     state text NOT NULL DEFAULT 'unpaid',
     paid_payment_id text,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, order_number),
     CHECK ((state IN ('unpaid', 'closed')) = (paid_payment_id IS NULL))
   )`,
  `CREATE TABLE pingzhang.payment (
     merchant_id text NOT NULL,
     id text NOT NULL,
     order_id text NOT NULL,
     channel_account_id text NOT NULL,
     method text NOT NULL,
     amount bigint NOT NULL CHECK (amount > 0),
     currency text NOT NULL CHECK (currency = 'CNY'),
     subject text NOT NULL,
     state text NOT NULL DEFAULT 'created',
     disposition text CHECK (disposition IN ('counted', 'excess', 'late')),
     money_in_doubt boolean NOT NULL DEFAULT false,
     vendor_request text NOT NULL,
     vendor_time text,
     return_url text,
     next_action jsonb,
     credential_at timestamptz,
     channel_payment_id text,
     refusal_code text,
     close_proof text,
     expires_at timestamptz NOT NULL,
     paid_at timestamptz,
     next_query_at timestamptz,
     queries bigint NOT NULL DEFAULT 0,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id),
     FOREIGN KEY (merchant_id, order_id) REFERENCES pingzhang.customer_order (merchant_id, id),
     FOREIGN KEY (merchant_id, channel_account_id) REFERENCES pingzhang.channel_account (merchant_id, id),
     UNIQUE (merchant_id, channel_account_id, channel_payment_id),
     CHECK ((state = 'paid') = (disposition IS NOT NULL)),
     CHECK ((state = 'paid') = (paid_at IS NOT NULL))
   )`,
  `CREATE INDEX payment_by_order ON pingzhang.payment (merchant_id, order_id)`,
  `CREATE INDEX payment_to_query ON pingzhang.payment (next_query_at) WHERE next_query_at IS NOT NULL`,
  `CREATE TABLE pingzhang.notification (
     merchant_id text NOT NULL,
     id text NOT NULL,
     channel_account_id text NOT NULL,
     event_key text NOT NULL,
     facts jsonb NOT NULL,
     facts_digest text NOT NULL,
     payment_number text,
     key_serial text NOT NULL,
     headers jsonb NOT NULL,
     body bytea NOT NULL,
     state text NOT NULL DEFAULT 'received',
     quarantine_reason text,
     due_at timestamptz DEFAULT now(),
     received_at timestamptz NOT NULL DEFAULT now(),
     applied_at timestamptz,
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, channel_account_id, event_key),
     CHECK ((state = 'received') = (due_at IS NOT NULL))
   )`,
  // No foreign key to payment: a genuine callback may name anything (payment rules, section 6).
  `CREATE INDEX notification_due ON pingzhang.notification (due_at) WHERE due_at IS NOT NULL`,
  `CREATE TABLE pingzhang.transaction_log (
     merchant_id text NOT NULL,
     id text NOT NULL,
     channel text NOT NULL,
     payment_id text,
     notification_id text,
     kind text NOT NULL CHECK (kind IN ('create', 'query', 'close', 'key', 'callback', 'return')),
     content jsonb NOT NULL,
     at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id)
   )`,
  `CREATE INDEX transaction_log_by_payment ON pingzhang.transaction_log (merchant_id, payment_id)`,
  `CREATE TABLE pingzhang.rejected_callback (
     channel_account_id text NOT NULL,
     slot bigint NOT NULL,
     reason text NOT NULL,
     explanation text NOT NULL CHECK (length(explanation) <= 2000),
     at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (channel_account_id, slot)
   )`,
  `CREATE TABLE pingzhang.points_grant (
     merchant_id text NOT NULL,
     id text NOT NULL,
     order_id text NOT NULL,
     kind text NOT NULL CHECK (kind IN ('grant', 'revoke')),
     user_id text NOT NULL,
     points bigint NOT NULL CHECK (points >= 0),
     idempotency_key text NOT NULL,
     state text NOT NULL DEFAULT 'pending',
     due_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, id),
     UNIQUE (merchant_id, idempotency_key),
     FOREIGN KEY (merchant_id, order_id) REFERENCES pingzhang.customer_order (merchant_id, id),
     CHECK ((state IN ('pending', 'sent')) = (due_at IS NOT NULL))
   )`,
  `CREATE UNIQUE INDEX points_grant_one_per_order ON pingzhang.points_grant (merchant_id, order_id)
     WHERE kind = 'grant'`,
  `CREATE INDEX points_grant_due ON pingzhang.points_grant (due_at) WHERE due_at IS NOT NULL`,
  `CREATE TABLE pingzhang.open_case (
     merchant_id text NOT NULL,
     id text NOT NULL,
     kind text NOT NULL,
     subject text NOT NULL,
     evidence jsonb NOT NULL,
     state text NOT NULL DEFAULT 'open',
     opened_at timestamptz NOT NULL DEFAULT now(),
     resolved_at timestamptz,
     PRIMARY KEY (merchant_id, id)
   )`,
  `CREATE UNIQUE INDEX open_case_one_open ON pingzhang.open_case (merchant_id, kind, subject)
     WHERE state = 'open'`,
  `CREATE TABLE pingzhang.state_change (
     merchant_id text NOT NULL,
     subject_kind text NOT NULL,
     subject_id text NOT NULL,
     from_state text,
     to_state text NOT NULL,
     witness text NOT NULL,
     at timestamptz NOT NULL DEFAULT clock_timestamp()
   )`,
  `CREATE INDEX state_change_by_subject ON pingzhang.state_change (merchant_id, subject_id)`,
  `CREATE TABLE pingzhang.state_move (
     subject_kind text NOT NULL,
     from_state text NOT NULL,
     to_state text NOT NULL,
     PRIMARY KEY (subject_kind, from_state, to_state)
   )`,
  `CREATE TABLE pingzhang.idempotency_key (
     merchant_id text NOT NULL,
     key text NOT NULL CHECK (length(key) <= 255),
     request_hash text NOT NULL,
     status bigint,
     body text,
     created_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (merchant_id, key)
   )`,
]

/** Moves of `domain/state.ts`, held by a trigger that also writes `state_change`. */
function guards(): string[] {
  return [
    ...stateMoves(),
    moveFunction,
    ...GUARDED.map(recordStateChange),
    appendOnlyFunction,
    ...['state_change', 'transaction_log'].map(appendOnly),
  ]
}

/** The tables of this migration that have a state; later ones guard their own. */
const GUARDED: readonly StateSubject[] = [
  'payment',
  'customer_order',
  'points_grant',
  'notification',
  'open_case',
]

const moveFunction = `
  CREATE FUNCTION pingzhang.record_state_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'UPDATE' THEN
      IF OLD.state = NEW.state THEN RETURN NEW; END IF;
      IF NOT EXISTS (SELECT 1 FROM pingzhang.state_move
                     WHERE subject_kind = TG_TABLE_NAME AND from_state = OLD.state AND to_state = NEW.state) THEN
        RAISE EXCEPTION '% % cannot move from % to %', TG_TABLE_NAME, NEW.id, OLD.state, NEW.state
          USING ERRCODE = 'check_violation';
      END IF;
    ELSIF TG_TABLE_NAME = 'notification' THEN
      -- The row itself tells when it was received; one row more per callback would halve the intake.
      RETURN NEW;
    END IF;
    INSERT INTO pingzhang.state_change (merchant_id, subject_kind, subject_id, from_state, to_state, witness)
    VALUES (NEW.merchant_id, TG_TABLE_NAME, NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.state END, NEW.state,
            coalesce(nullif(current_setting('pingzhang.witness', true), ''), 'system'));
    RETURN NEW;
  END $$`

const appendOnlyFunction = `
  CREATE FUNCTION pingzhang.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
  END $$`
