/** Text in GBK: what only the vendor writes, so the channel has no need of it. */
export function encodeGbk(text: string): Uint8Array {
  return Buffer.concat(Array.from(text, (character) => Buffer.from(bytesOf(character))))
}

const table = new Map<string, readonly number[]>()

function bytesOf(character: string): readonly number[] {
  if (character < '\u0080') return [character.charCodeAt(0)]
  if (table.size === 0) fill()
  return table.get(character) ?? [0x3f]
}

function fill(): void {
  const decoder = new TextDecoder('gbk')
  for (let first = 0x81; first <= 0xfe; first += 1) {
    for (let second = 0x40; second <= 0xfe; second += 1) {
      table.set(decoder.decode(Uint8Array.of(first, second)), [first, second])
    }
  }
}
