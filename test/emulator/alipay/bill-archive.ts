import type { ZipEntry } from '../core/zip.ts'
import { writeZip } from '../core/zip.ts'
import { encode } from './charset.ts'

/** What an archive may try (fault F116); a name that leads elsewhere, and the other tricks of zips. */
export const ARCHIVE_TRICKS = [
  'parent_path',
  'absolute_path',
  'backslash_path',
  'drive_path',
  'symbolic_link',
  'encrypted',
  'overlapping',
  'many_members',
  'wrong_crc',
] as const

export type ArchiveTrick = (typeof ARCHIVE_TRICKS)[number]

/** The decoded names and texts of a bill's members (dossier 6.2). */
export interface Member {
  readonly name: string
  readonly text: string
}

/** GBK names without the flag of UTF-8, GBK content. */
const entryOf = ({ name, text }: Member): ZipEntry => ({
  name: encode(name, 'gbk'),
  content: encode(text, 'gbk'),
})

/** A bill as the vendor packs it, or as somebody does who plays a trick. */
export function archiveOf(
  members: readonly Member[],
  trick?: ArchiveTrick,
): Uint8Array<ArrayBuffer> {
  const entries = members.map(entryOf)
  return writeZip(trick === undefined ? entries : TRICKS[trick](entries))
}

type Trick = (entries: readonly ZipEntry[]) => readonly ZipEntry[]

const named =
  (change: (name: string) => string): Trick =>
  (entries) =>
    entries.map((entry) => ({
      ...entry,
      name: Buffer.concat([Buffer.from(change('')), entry.name]),
    }))

const marked =
  (marks: Partial<ZipEntry>): Trick =>
  (entries) =>
    entries.map((entry) => ({ ...entry, ...marks }))

const ENCRYPTED_FLAG = 0x01
const LINK_MODE = 0o120777
const MANY = 1000

const TRICKS: Readonly<Record<ArchiveTrick, Trick>> = {
  parent_path: named((name) => `../../${name}`),
  absolute_path: named((name) => `/tmp/${name}`),
  backslash_path: named((name) => `..\\${name}`),
  drive_path: named((name) => `C:${name}`),
  symbolic_link: marked({ mode: LINK_MODE }),
  encrypted: marked({ flags: ENCRYPTED_FLAG }),
  overlapping: (entries) => [
    ...entries,
    ...entries.slice(0, 1).map((entry) => ({
      ...entry,
      name: Buffer.from('2.csv'),
      isAlias: true,
    })),
  ],
  many_members: (entries) => [
    ...entries,
    ...Array.from({ length: MANY }, (_, index) => ({
      name: Buffer.from(`${index}.csv`),
      content: Buffer.from(''),
    })),
  ],
  wrong_crc: marked({ crc: 1 }),
}

const BOMB_BYTES = 16 * 1024 * 1024

/** A thousandfold of one comment behind the first member's text, under its name and with its CRC-32. */
export function bombOf(members: readonly Member[]): Uint8Array<ArrayBuffer> {
  const [detail, ...rest] = members.map(entryOf)
  if (detail === undefined) return new Uint8Array()
  const bomb = Buffer.alloc(BOMB_BYTES, '#\r\n')
  return writeZip([{ ...detail, content: Buffer.concat([detail.content, bomb]) }, ...rest])
}
