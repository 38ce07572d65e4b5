import { open } from 'node:fs/promises'
import { inflateSync } from 'node:zlib'
import { z } from 'zod'
import { BillBroken } from '../bill.ts'
import type { BillFile, BillLine } from '../bill.ts'
import { decodeText } from '../form.ts'
import { openZip } from '../zip.ts'
import type { ZipArchive, ZipMember } from '../zip.ts'
import { Cells } from './bill-cell.ts'
import type { Layout } from './bill-cell.ts'
import { RecordReader, checkSummary, detailLayout, disputeLayout, memberKind } from './wire-bill.ts'
import type { MemberKind, Owner } from './wire-bill.ts'

/** The first bytes of an archive, and the first byte of zlib (RFC 1950). */
const ZIP_MAGIC = 'PK'
const ZLIB_MAGIC = 0x78
/**
 * How large an archive may be that is unpacked in memory: eight times what the vendor's own form field holds
 * (UnionPay dossier, section 5.1). One that a person has unpacked stays on disk and has no such limit.
 */
const ARCHIVE_BYTES_MAX = 8 * 1024 * 1024
const SUMMARY_BYTES_MAX = 256 * 1024
/**
 * Of 607 or 608 bytes (UnionPay dossier, section 5.3). Two records without a line end between them are longer, and
 * would otherwise be one with a long tail.
 */
const RECORD_BYTES_MAX = 1000

/** Reads a raw bill: the content as the vendor sends it, or the archive that a person took out of it. */
export async function* readBill(
  file: BillFile,
  merId: string,
): AsyncGenerator<readonly BillLine[]> {
  const owner = { merId, businessDate: file.businessDate }
  await using archive = await openFile(file)
  yield* readMembers(archive, owner)
}

async function openFile({ path, bytes }: BillFile): Promise<ZipArchive> {
  const head = await readHead(path)
  if (head.toString('latin1') === ZIP_MAGIC) return openZip(path, bytes)
  if (head[0] !== ZLIB_MAGIC) throw new BillBroken('expected zlib or zip')
  if (bytes > ARCHIVE_BYTES_MAX) throw new BillBroken(`expected at most ${ARCHIVE_BYTES_MAX} bytes`)
  return openZip(inflate(Buffer.from(await Bun.file(path).arrayBuffer())), bytes)
}

async function readHead(path: string): Promise<Buffer> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(ZIP_MAGIC.length))
  return buffer.subarray(0, bytesRead)
}

/** With `info`, the library also says how much of the input it has used. */
const inflatedSchema = z.object({
  buffer: z.instanceof(Buffer),
  engine: z.object({ bytesWritten: z.number() }),
})

/** Once, and with a limit: what is packed again inside is no archive. */
function inflate(packed: Buffer): Buffer {
  try {
    const options = { maxOutputLength: ARCHIVE_BYTES_MAX, info: true }
    const { buffer, engine } = inflatedSchema.parse(inflateSync(packed, options))
    if (engine.bytesWritten !== packed.length) throw new BillBroken('zlib: bytes behind its end')
    return buffer
  } catch (error) {
    if (!isZlibError(error)) throw error
    throw new BillBroken(`zlib: ${error.message}`)
  }
}

const isZlibError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && /^(Z_|ERR_BUFFER_TOO_LARGE)/.test(String(error.code))

type Sorted = Readonly<Record<MemberKind, readonly ZipMember[]>>

async function* readMembers(
  archive: ZipArchive,
  owner: Owner,
): AsyncGenerator<readonly BillLine[]> {
  const { detail, dispute, summary } = sort(archive.members, owner)
  if (detail.length === 0) throw new BillBroken('the archive has no detail of this merchant')
  const reader = new RecordReader(owner)
  const count = { lines: 0 }
  const sums = new Map<string, bigint>()
  for (const member of detail) {
    for await (const lines of readRecords(member.pieces(), detailLayout, count, (cells) =>
      reader.detail(cells),
    )) {
      for (const { stateText, amountMinor } of lines) {
        sums.set(stateText, (sums.get(stateText) ?? 0n) + amountMinor)
      }
      yield lines
    }
  }
  for (const member of dispute) {
    yield* readRecords(member.pieces(), disputeLayout, count, (cells) => reader.dispute(cells))
  }
  for (const member of summary) checkSummary(await readSummary(member), sums)
}

function sort(members: readonly ZipMember[], owner: Owner): Sorted {
  const sorted: Record<MemberKind, ZipMember[]> = { detail: [], dispute: [], summary: [] }
  // Files are told apart by their names, so two of one name may be one file twice.
  if (new Set(members.map(({ name }) => name)).size < members.length) {
    throw new BillBroken('zip: two members have one name')
  }
  for (const member of members) {
    const kind = memberKind(member.name, owner)
    if (kind !== undefined) sorted[kind].push(member)
  }
  return sorted
}

async function readSummary(member: ZipMember): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of member.pieces()) {
    bytes += piece.length
    if (bytes > SUMMARY_BYTES_MAX) throw new BillBroken('the summary is too long')
    pieces.push(piece)
  }
  const text = decodeText(Buffer.concat(pieces), 'gbk')
  if (text === undefined) throw new BillBroken('the summary is not in GBK')
  return text
}

/** Reads records, wherever the pieces are cut. Lines are counted through all members of a bill, so that each number is there once. */
export async function* readRecords<Column extends string>(
  pieces: AsyncIterable<Uint8Array>,
  layout: Layout<Column>,
  count: { lines: number },
  read: (cells: Cells<Column>) => BillLine,
): AsyncGenerator<readonly BillLine[]> {
  for await (const records of cutRecords(pieces, count.lines)) {
    const lines = records.map((bytes, index) =>
      read(new Cells(layout, bytes, count.lines + index + 1)),
    )
    count.lines += lines.length
    if (lines.length > 0) yield lines
  }
}

const LF = 0x0a
const CR = 0x0d

/**
 * Cuts bytes into records, wherever the pieces are cut. LF is no part of another character in GBK, whose second
 * bytes begin at 0x30.
 */
async function* cutRecords(
  pieces: AsyncIterable<Uint8Array>,
  linesBefore: number,
): AsyncGenerator<readonly Uint8Array[]> {
  let rest: Uint8Array = new Uint8Array()
  let lines = linesBefore
  for await (const piece of pieces) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const records: Uint8Array[] = []
    let from = 0
    for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, from)) {
      const to = lf > from && bytes[lf - 1] === CR ? lf - 1 : lf
      records.push(limited(bytes.subarray(from, to), lines + records.length + 1))
      from = lf + 1
    }
    lines += records.length
    rest = limited(bytes.slice(from), lines + 1)
    yield records
  }
  // The last record may lack its end.
  if (rest.length > 0) yield [rest.at(-1) === CR ? rest.subarray(0, -1) : rest]
}

function limited(record: Uint8Array, line: number): Uint8Array {
  if (record.length <= RECORD_BYTES_MAX) return record
  throw new BillBroken(`expected a record of at most ${RECORD_BYTES_MAX} bytes`, line)
}
