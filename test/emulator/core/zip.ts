import { crc32, deflateRawSync } from 'node:zlib'

/** One file of an archive, and what an attacker may claim of it. */
export interface ZipEntry {
  /** As they stand in the archive, in whatever charset. */
  readonly name: Uint8Array
  readonly content: Uint8Array
  /** General purpose bits beside the one of the data descriptor. */
  readonly flags?: number
  /** The file's type and rights on Unix. */
  readonly mode?: number
  /** What the archive claims of the bytes, where that is not true. */
  readonly size?: number
  readonly crc?: number
  /** Another name for the bytes of the first entry. */
  readonly isAlias?: boolean
}

const LOCAL = 0x04034b50
const DESCRIPTOR = 0x08074b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
const VERSION = 20
const MADE_ON_UNIX = 0x0300 | VERSION
const DEFLATE = 8
/** Sizes and CRC-32 stand behind the bytes: so Java writes archives, and so does Alipay, by all accounts. */
const DESCRIPTOR_FLAG = 0x08
/** 2026-01-31 05:46:48, as DOS counts. */
const TIME = 0x2dd8
const DATE = 0x5c3f

interface Placed {
  readonly entry: ZipEntry
  readonly packed: Uint8Array
  readonly crc: number
  readonly offset: number
}

/** Writes an archive (APPNOTE 6.3, sections 4.3.6 to 4.3.16), without anything of ZIP64. */
export function writeZip(entries: readonly ZipEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = []
  const placed: Placed[] = []
  let offset = 0
  for (const entry of entries) {
    const crc = entry.crc ?? crc32(entry.content)
    const packed = deflateRawSync(entry.content)
    const [first] = placed
    if (entry.isAlias === true && first !== undefined) {
      placed.push({ ...first, entry })
      continue
    }
    placed.push({ entry, packed, crc, offset })
    const local = localPart({ entry, packed, crc, offset })
    parts.push(local)
    offset += local.length
  }
  const central = Buffer.concat(placed.map(centralPart))
  return Uint8Array.from(
    Buffer.concat([...parts, central, endPart(placed.length, central, offset)]),
  )
}

const flagsOf = ({ flags = 0 }: ZipEntry): number => flags | DESCRIPTOR_FLAG

/** Numbers of two bytes, or of four where a `long` says so, in little endian. */
function pack(fields: readonly (number | { readonly long: number })[]): Buffer {
  const bytes = fields.map((field) => {
    const buffer = Buffer.alloc(typeof field === 'number' ? 2 : 4)
    if (typeof field === 'number') buffer.writeUInt16LE(field)
    else buffer.writeUInt32LE(field.long)
    return buffer
  })
  return Buffer.concat(bytes)
}

const long = (value: number) => ({ long: value })

function localPart({ entry, packed, crc }: Placed): Buffer {
  const { name, content } = entry
  const none = [long(0), long(0), long(0)]
  return Buffer.concat([
    pack([long(LOCAL), VERSION, flagsOf(entry), DEFLATE, TIME, DATE, ...none, name.length, 0]),
    name,
    packed,
    pack([long(DESCRIPTOR), long(crc), long(packed.length), long(content.length)]),
  ])
}

function centralPart({ entry, packed, crc, offset }: Placed): Buffer {
  const { name, content, mode = 0, size = content.length } = entry
  const isUnix = mode !== 0
  return Buffer.concat([
    pack([
      long(CENTRAL),
      isUnix ? MADE_ON_UNIX : VERSION,
      VERSION,
      flagsOf(entry),
      DEFLATE,
      TIME,
      DATE,
      long(crc),
      long(packed.length),
      long(size),
      name.length,
      0,
      0,
      0,
      0,
      long(mode * 0x10000),
      long(offset),
    ]),
    name,
  ])
}

const endPart = (entries: number, central: Uint8Array, offset: number): Buffer =>
  pack([long(END), 0, 0, entries, entries, long(central.length), long(offset), 0])
