import type { Client } from 'pg'

const SUMMARISE = `
  SELECT brin_summarize_new_values(i.inhrelid::regclass) FROM pg_inherits i
  WHERE i.inhparent = 'bill_line_by_bill'::regclass`

/**
 * Summarises the blocks of the bills that were loaded before, so that no search goes through them.
 *
 * To be called before a bill is loaded, on its own: until its end it holds a lock. The bill itself stays without a
 * summary until the next one comes, because whoever matches it goes through all of it.
 */
export const summariseBlocks = (client: Client): Promise<unknown> => client.query(SUMMARISE)

/** What matching chooses its lines by; the other columns would take most of the time. */
const MATCHED_COLUMNS =
  'merchant_id, bill_id, business_date, kind, payment_number, channel_payment_id'

/** Looks at some thousand lines; PostgreSQL's own target of 100 reads nearly all blocks of a million. */
const SAMPLE_TARGET = 10

/**
 * Counts what lies in the table of lines, before it is matched; autovacuum would do it a minute later. After the
 * commit, because it holds a lock until its own end.
 */
export async function sampleLines(client: Client): Promise<void> {
  await client.query(`SET default_statistics_target = ${SAMPLE_TARGET}`)
  await client.query(`ANALYZE bill_line (${MATCHED_COLUMNS})`)
}
