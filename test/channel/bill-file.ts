import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BillBroken } from '#channel/bill'
import type { BillFetch, BillKind, BillLine, BillPart } from '#channel/bill'
import type { RecordExchange } from '#channel/http'

export interface Reading {
  readonly kind?: BillKind
  readonly businessDate: string
}

/** Reads raw bytes as the worker does: from a file, through the channel. */
export async function readRaw(
  part: BillPart,
  raw: Uint8Array,
  { kind = 'transaction', businessDate }: Reading,
): Promise<readonly BillLine[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bill-'))
  try {
    const path = join(directory, 'raw')
    await Bun.write(path, raw)
    const file = { path, bytes: raw.length, businessDate }
    return (await Array.fromAsync(part.read(file, kind))).flat()
  } finally {
    await rm(directory, { recursive: true })
  }
}

export interface Fetched {
  readonly outcome: BillFetch
  readonly raw: Uint8Array
}

/** Fetches as the worker does, into memory. */
export async function fetchRaw(
  part: BillPart,
  { kind = 'transaction', businessDate }: Reading,
  record: RecordExchange = () => undefined,
): Promise<Fetched> {
  const chunks: Uint8Array[] = []
  const write = (chunk: Uint8Array) => {
    chunks.push(Uint8Array.from(chunk))
    return Promise.resolve(true)
  }
  const outcome = await part.fetch({ businessDate, kind }, { write }, record)
  return { outcome, raw: Buffer.concat(chunks) }
}

/** Why a bill is refused; fails when it is not, or for another reason than the bill. */
export async function brokenBy(reading: Promise<unknown>): Promise<BillBroken> {
  const found = await reading.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (found instanceof BillBroken) return found
  throw new Error('expected a broken bill', { cause: found })
}

/** Cuts bytes at these places. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const sorted = [0, ...places.toSorted((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((to, index) => bytes.slice(sorted[index], to))
}
