/** The two charsets of `encoding` (dossier 1.1). */
export type Charset = 'UTF-8' | 'GBK'

const GBK_LEAD = { from: 0x81, to: 0xfe } as const
const GBK_TRAIL = { from: 0x40, to: 0xfe } as const
const ASCII_MAX = 0x7f
const QUESTION_MARK = 0x3f

/** The charset that `encoding` names, however it is written. `undefined`: a name that nobody knows. */
export function parseCharset(encoding: string | undefined): Charset | undefined {
  const name = encoding?.toUpperCase()
  return name === 'UTF-8' || name === 'GBK' ? name : undefined
}

/** A character that the charset does not have becomes a question mark. */
export const encodeText = (text: string, charset: Charset): Uint8Array<ArrayBuffer> =>
  charset === 'UTF-8' ? new TextEncoder().encode(text) : encodeGbk(text)

/** `undefined`: these bytes are not in the charset. */
export function decodeText(bytes: Uint8Array, charset: Charset): string | undefined {
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Bytes of another charset: the caller answers that he cannot read them.
    return undefined
  }
}

function encodeGbk(text: string): Uint8Array<ArrayBuffer> {
  const table = gbkTable()
  const bytes: number[] = []
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (code <= ASCII_MAX) bytes.push(code)
    else bytes.push(...(table.get(character) ?? [QUESTION_MARK]))
  }
  return new Uint8Array(bytes)
}

type Pair = readonly [lead: number, trail: number]

let gbk: ReadonlyMap<string, Pair> | undefined

/** The runtime only decodes GBK, so the way back is the same table read the other way round. */
function gbkTable(): ReadonlyMap<string, Pair> {
  gbk ??= new Map(
    gbkPairs().flatMap((pair) => {
      const character = decodeText(new Uint8Array(pair), 'GBK')
      return character === undefined || [...character].length !== 1 ? [] : [[character, pair]]
    }),
  )
  return gbk
}

function gbkPairs(): Pair[] {
  const pairs: Pair[] = []
  for (let lead = GBK_LEAD.from; lead <= GBK_LEAD.to; lead += 1) {
    for (let trail = GBK_TRAIL.from; trail <= GBK_TRAIL.to; trail += 1) pairs.push([lead, trail])
  }
  return pairs
}
