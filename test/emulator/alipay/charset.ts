/** The two charsets that the gateway names (dossier 1.2). */
export type Charset = 'utf-8' | 'gbk'

/** Reads the name as it was sent. `undefined`: the gateway does not take it. */
export function parseCharset(name: string): Charset | undefined {
  const lower = name.toLowerCase()
  if (lower === 'utf-8' || lower === 'utf8') return 'utf-8'
  return lower === 'gbk' || lower === 'gb2312' ? 'gbk' : undefined
}

/** Text of bytes. Bytes that mean nothing become a replacement character. */
export const decode = (bytes: Uint8Array, charset: Charset): string =>
  new TextDecoder(charset).decode(bytes)

/** Bytes of text. A character that GBK does not have becomes `?`, as in Java. */
export function encode(text: string, charset: Charset): Buffer<ArrayBuffer> {
  if (charset === 'utf-8') return Buffer.from(text)
  const codes = gbkCodes()
  const bytes: number[] = []
  for (const character of text) {
    const code = codes.get(character)
    if (code === undefined) bytes.push(isAscii(character) ? character.charCodeAt(0) : QUESTION_MARK)
    else bytes.push(code >> 8, code & 0xff)
  }
  return Buffer.from(bytes)
}

const QUESTION_MARK = 0x3f
const LEAD_MIN = 0x81
const LEAD_MAX = 0xfe
const TRAIL_MIN = 0x40
const TRAIL_MAX = 0xfe

const isAscii = (character: string): boolean => character.charCodeAt(0) < 0x80

let known: ReadonlyMap<string, number> | undefined

/** The platform only decodes GBK; what it decodes, turned around, encodes. */
function gbkCodes(): ReadonlyMap<string, number> {
  if (known !== undefined) return known
  const decoder = new TextDecoder('gbk')
  const codes = new Map<string, number>()
  for (let lead = LEAD_MIN; lead <= LEAD_MAX; lead += 1) {
    for (let trail = TRAIL_MIN; trail <= TRAIL_MAX; trail += 1) {
      const character = decoder.decode(Uint8Array.of(lead, trail))
      const isOne = character.length === 1 && character !== '\ufffd'
      if (isOne && !codes.has(character)) codes.set(character, (lead << 8) | trail)
    }
  }
  known = codes
  return codes
}
