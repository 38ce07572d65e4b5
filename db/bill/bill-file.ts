import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Client } from 'pg'
import type { MerchantId } from '#domain/id'

const PART_BYTES = 1024 * 1024

export interface RawBill {
  readonly merchantId: MerchantId
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Why it was refused, where it was. */
  readonly broken?: string
}

/** SHA-256 of a file and its size, read once in pieces. */
async function digestFile(
  path: string,
): Promise<{ readonly digest: string; readonly bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of piecesOf(path)) {
    hash.update(piece)
    bytes += piece.length
  }
  return { digest: hash.digest('hex'), bytes }
}

async function* piecesOf(path: string): AsyncGenerator<Buffer> {
  for await (const piece of createReadStream(path, { highWaterMark: PART_BYTES })) {
    yield Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece))
  }
}

/** Keeps the raw bytes once, under their digest, in the caller's transaction. Returns the digest. */
export async function keepFile(client: Client, raw: RawBill): Promise<string> {
  const { digest, bytes } = await digestFile(raw.path)
  const inserted = await client.query(
    `INSERT INTO bill_file (merchant_id, digest, bytes, headers, broken) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [raw.merchantId, digest, bytes, JSON.stringify(raw.headers), raw.broken ?? null],
  )
  if (inserted.rowCount === 0) return digest
  let part = 0
  for await (const content of piecesOf(raw.path)) {
    await client.query(
      'INSERT INTO bill_file_part (merchant_id, digest, part, content) VALUES ($1, $2, $3, $4)',
      [raw.merchantId, digest, part, content],
    )
    part += 1
  }
  return digest
}
