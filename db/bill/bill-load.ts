import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { newBillId } from '#domain/id'
import type { BillId, MerchantId, VendorMerchantId } from '#domain/id'
import { around, hit } from '#failpoint'
import { sampleLines, summariseBlocks } from './bill-block.ts'
import { COPY, rowsOf } from './bill-copy.ts'
import type { LoadedLine } from './bill-copy.ts'
import { keepFile } from './bill-file.ts'
import type { RawBill } from './bill-file.ts'
import { Totals } from './bill-total.ts'

export interface BillToLoad {
  readonly merchantId: MerchantId
  readonly vendorMerchantId: VendorMerchantId
  readonly kind: 'transaction' | 'fund'
  readonly businessDate: string
  /** Absent for a day without business. */
  readonly raw?: RawBill
  /** Throws when the file is not sound: then nothing is loaded. */
  readonly lines: AsyncIterable<readonly LoadedLine[]>
}

export interface LoadedBill {
  readonly id: BillId
  readonly lines: number
  /** The very bytes were loaded before: there is no new revision. */
  readonly isRepeat: boolean
}

/**
 * Loads a bill wholly or not at all: file, lines and totals in one commit (I11).
 *
 * COPY has a connection of its own, because it streams. The same bytes again are the bill that is there;
 * other bytes for the same day are its next revision.
 */
export const loadBill = (databaseUrl: string, bill: BillToLoad): Promise<LoadedBill> =>
  withClient(databaseUrl, async (client) => {
    await summariseBlocks(client)
    const loaded = await inTransaction(client, () => load(client, bill))
    if (!loaded.isRepeat && loaded.lines >= SAMPLED_LINES_MIN) await sampleLines(client)
    return loaded
  })

/** From here on a guess of how many lines a bill has is too far off for a plan of how to match it. */
const SAMPLED_LINES_MIN = 10_000

async function load(client: pg.Client, bill: BillToLoad): Promise<LoadedBill> {
  // One bill of a day at a time: revisions count up without gaps.
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `bill ${bill.vendorMerchantId} ${bill.kind} ${bill.businessDate}`,
  ])
  hit('bill.keep:before')
  const digest = bill.raw === undefined ? null : await keepFile(client, bill.raw)
  hit('bill.keep:after')
  const last = await findLast(client, bill)
  if (last !== undefined && last.digest === digest) {
    return { id: last.id, lines: last.lines, isRepeat: true }
  }
  const id = newBillId()
  const totals = new Totals()
  const copy = client.query(copyFrom(COPY))
  hit('bill.copy:before')
  await pipeline(Readable.from(rowsOf(bill, id, totals), { highWaterMark: PIECES_AHEAD }), copy)
  hit('bill.copy:after')
  hit('bill.insert:before')
  await insertBill(client, { bill, id, digest, revision: (last?.revision ?? 0) + 1, totals })
  hit('bill.insert:after')
  return { id, lines: totals.lines, isRepeat: false }
}

/**
 * Pieces of text that are made while the server takes one. A stream of objects makes sixteen, with all the lines that
 * they are made of.
 */
const PIECES_AHEAD = 2

/** Keeps a file that is no sound bill, for whoever looks into it. */
export const keepBroken = (databaseUrl: string, raw: RawBill): Promise<string> =>
  withClient(databaseUrl, (client) => inTransaction(client, () => keepFile(client, raw)))

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, options: '-c search_path=pingzhang' })
  // A connection that dies between two statements must not end the process; the next statement fails.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    // Without a COMMIT this is the rollback.
    await client.end()
  }
}

async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  hit('bill.begin:before')
  await client.query('BEGIN')
  hit('bill.begin:after')
  const result = await work()
  await around('bill.commit', () => client.query('COMMIT'))
  return result
}

interface Last {
  readonly id: BillId
  readonly digest: string | null
  readonly revision: number
  readonly lines: number
}

async function findLast(client: pg.Client, bill: BillToLoad): Promise<Last | undefined> {
  const { rows } = await client.query<Last>(
    `SELECT id, digest, revision::int, lines::int FROM bill
     WHERE merchant_id = $1 AND vendor_merchant_id = $2 AND kind = $3 AND business_date = $4
     ORDER BY revision DESC LIMIT 1`,
    [bill.merchantId, bill.vendorMerchantId, bill.kind, bill.businessDate],
  )
  return rows[0]
}

interface Insert {
  readonly bill: BillToLoad
  readonly id: BillId
  readonly digest: string | null
  readonly revision: number
  readonly totals: Totals
}

async function insertBill(
  client: pg.Client,
  { bill, id, digest, revision, totals }: Insert,
): Promise<void> {
  await client.query(
    `INSERT INTO bill (merchant_id, id, vendor_merchant_id, kind, business_date, revision, digest, lines,
                       payments, payment_amount, refunds, refund_amount, fee)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      bill.merchantId,
      id,
      bill.vendorMerchantId,
      bill.kind,
      bill.businessDate,
      revision,
      digest,
      totals.lines,
      totals.payments,
      totals.paymentAmount.toString(),
      totals.refunds,
      totals.refundAmount.toString(),
      totals.fee(),
    ],
  )
}
