import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { BILL_LIMITS, BillBroken } from '../bill.ts'
import type { BillFile, BillKind, BillLine } from '../bill.ts'
import { Cells, headerOf, openForm, parseUnits } from './wire-bill.ts'
import type { BillForm } from './wire-bill.ts'

const LF = 0x0a
const CR = 0x0d
const BACKTICK = 0x60
/** `1f 8b`: the first bytes of gzip (RFC 1952), and of no text in UTF-8. */
const GZIP_MAGIC = [0x1f, 0x8b] as const
/** Large enough that the work for each piece is nothing, small enough for constant memory. */
const PIECE_BYTES = 256 * 1024
/** Below this an expansion is no bomb, whatever its ratio. */
const BOMB_BYTES_MIN = 8 * 1024 * 1024

/** Whose bill it must be. */
export interface Owner {
  readonly mchid: string
  readonly businessDate: string
}

/** Reads a raw bill: what the vendor sends, a gzip file, or the same text unpacked by a person. */
export async function* readBill(
  file: BillFile,
  kind: BillKind,
  mchid: string,
): AsyncGenerator<readonly BillLine[]> {
  const owner = { mchid, businessDate: file.businessDate }
  const raw = createReadStream(file.path, { highWaterMark: PIECE_BYTES })
  try {
    yield* readText(expand(raw, file.bytes), kind, owner)
  } finally {
    raw.destroy()
  }
}

type Pieces = AsyncIterable<Uint8Array>

/** Whether these are more bytes than any bill has: text of bills packs some tenfold. */
export const isBomb = (expandedBytes: number, rawBytes: number): boolean =>
  expandedBytes > BILL_LIMITS.expandedBytesMax ||
  (expandedBytes > BOMB_BYTES_MIN && expandedBytes > rawBytes * BILL_LIMITS.ratioMax)

/** Unpacks once, never what was packed inside: that is no text, and so is refused. */
async function* expand(raw: ReturnType<typeof createReadStream>, rawBytes: number): Pieces {
  const first = await firstBytes(raw)
  const isPacked = GZIP_MAGIC.every((byte, at) => first[at] === byte)
  let bytes = 0
  try {
    for await (const piece of isPacked ? raw.pipe(newGunzip()) : raw) {
      bytes += piece.length
      if (isPacked && isBomb(bytes, rawBytes)) throw new BillBroken('expands like a bomb')
      yield piece
    }
  } catch (error) {
    // What is wrong with gzip is wrong with the bill; trouble with this machine's disk is not.
    throw isZlibError(error) ? new BillBroken(`gzip: ${error.code}`) : error
  }
}

export const newGunzip = () => createGunzip({ chunkSize: PIECE_BYTES })

/** Looks at the first bytes and puts them back. */
async function firstBytes(raw: ReturnType<typeof createReadStream>): Promise<Uint8Array> {
  return new Uint8Array()
}

const isZlibError = (error: unknown): error is { readonly code: string } =>
  error instanceof Error && 'code' in error && /^Z_/.test(String(error.code))
