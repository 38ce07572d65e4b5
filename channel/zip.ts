import { crc32 } from 'node:zlib'
import { fromBufferPromise, openPromise } from 'yauzl'
import type { Entry, ZipFile } from 'yauzl'
import { BILL_LIMITS, BillBroken, isBomb } from './bill.ts'

/** One file inside an archive. */
export interface ZipMember {
  /** What the archive calls it: by this it is known, where a vendor's archive has several. Never a path. */
  readonly name: string
  /**
   * Its plain bytes. Throws `BillBroken` when they are not what the archive promises: the library compares
   * sizes, and the CRC-32 is compared here.
   */
  pieces(): AsyncIterable<Uint8Array>
}

/** An archive, on this machine's disk or in its memory. */
export interface ZipArchive extends AsyncDisposable {
  readonly members: readonly ZipMember[]
}

/** Opens a bill's archive. Throws `BillBroken` for one that no vendor sends (reliability notes, F115 and F116). */
export async function openZip(source: string | Buffer, rawBytes: number): Promise<ZipArchive> {
  // Names are bytes in the vendor's charset: decoded here, to be judged before anybody sees them.
  const options = { autoClose: false, decodeStrings: false }
  const opening =
    typeof source === 'string' ? openPromise(source, options) : fromBufferPromise(source, options)
  const zip = await opening.catch(asBroken)
  try {
    const entries = await listEntries(zip)
    const budget = new Budget(rawBytes)
    return {
      members: entries.map((entry) => ({
        name: nameOf(entry),
        pieces: () => piecesOf(zip, entry, budget),
      })),
      [Symbol.asyncDispose]: () => Promise.resolve(zip.close()),
    }
  } catch (error) {
    zip.close()
    throw error
  }
}

/** What all members of an archive may expand to together. */
class Budget {
  readonly #rawBytes: number
  #bytes = 0

  constructor(rawBytes: number) {
    this.#rawBytes = rawBytes
  }

  take(bytes: number): void {
    this.#bytes += bytes
    if (isBomb(this.#bytes, this.#rawBytes)) {
      throw new BillBroken(`${this.#rawBytes} bytes expand like a bomb`)
    }
  }
}

async function* piecesOf(zip: ZipFile, entry: Entry, budget: Budget): AsyncGenerator<Uint8Array> {
  const stream = await zip.openReadStreamPromise(entry).catch(asBroken)
  let sum = 0
  try {
    for await (const piece of stream) {
      sum = crc32(piece, sum)
      budget.take(piece.length)
      yield piece
    }
  } catch (error) {
    asBroken(error)
  } finally {
    stream.destroy()
  }
  // Neither this library nor its peers compare it.
  if (sum !== entry.crc32) throw new BillBroken('zip: a member has another CRC-32 than its entry')
}

async function listEntries(zip: ZipFile): Promise<readonly Entry[]> {
  if (zip.entryCount > BILL_LIMITS.entriesMax) {
    throw new BillBroken(`zip: expected at most ${BILL_LIMITS.entriesMax} members`)
  }
  const entries: Entry[] = []
  try {
    for await (const entry of zip.eachEntry()) entries.push(entry)
    for (const entry of entries) expectPlain(entry)
    await expectApart(zip, entries)
  } catch (error) {
    asBroken(error)
  }
  return entries
}

const UTF8_FLAG = 0x800
const FILE_TYPE = 0o170000
const SYMBOLIC_LINK = 0o120000
const UNIX_MODE_SHIFT = 16

/** A file in no folder, readable without a password. */
function expectPlain(entry: Entry): void {
  if (entry.isEncrypted()) throw new BillBroken('zip: a member is encrypted')
  const mode = entry.externalFileAttributes >>> UNIX_MODE_SHIFT
  if ((mode & FILE_TYPE) === SYMBOLIC_LINK) throw new BillBroken('zip: a member is a link')
  if (/[/\\\0]|^[A-Za-z]:|^\.{0,2}$/.test(nameOf(entry))) {
    throw new BillBroken('zip: a member has a path')
  }
}

/** The second byte of some characters of GBK is a backslash, so text is judged and not bytes. */
function nameOf({ fileNameRaw, generalPurposeBitFlag }: Entry): string {
  const charset = (generalPurposeBitFlag & UTF8_FLAG) === 0 ? 'gb18030' : 'utf-8'
  return new TextDecoder(charset).decode(fileNameRaw)
}

/** Members that share bytes are how a small archive becomes a large one. */
async function expectApart(zip: ZipFile, entries: readonly Entry[]): Promise<void> {
  const sorted = entries.toSorted(
    (a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader,
  )
  let end = 0
  for (const entry of sorted) {
    if (entry.relativeOffsetOfLocalHeader < end) throw new BillBroken('zip: members overlap')
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true })
    end = fileDataStart + entry.compressedSize
  }
}

/** What is wrong with an archive is wrong with the bill; trouble with this machine's disk is not. */
function asBroken(error: unknown): never {
  const isDiskError = error instanceof Error && 'errno' in error && !isZlibError(error)
  if (error instanceof BillBroken || isDiskError || !(error instanceof Error)) throw error
  throw new BillBroken(`zip: ${error.message}`)
}

const isZlibError = (error: Error): boolean =>
  'code' in error && String(error.code).startsWith('Z_')
