const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const CHARACTERS_MAX = 20
/** So many digits a number holds exactly, and makes a whole number of them in a tenth of the time. */
const EXACT_DIGITS = 15
const TEN = 10

/**
 * Reads a decimal as a whole number of its smallest unit; `undefined` for what is none, or would have to be
 * rounded. By characters, because each of a million lines of a bill has several decimals.
 */
export function parseUnits(text: string, decimals: number): bigint | undefined {
  const from = text.charCodeAt(0) === MINUS ? 1 : 0
  const dot = dotIn(text, from)
  if (dot === undefined || text.length > CHARACTERS_MAX) return undefined
  const places = Math.max(0, text.length - dot - 1)
  if (places > decimals) return undefined
  const missing = decimals - places
  if (text.length + missing <= EXACT_DIGITS) return BigInt(digitsOf(text) * TEN ** missing)
  return BigInt(text.slice(0, dot) + text.slice(dot + 1) + '0'.repeat(missing))
}

/**
 * Where the dot of a decimal stands, behind the text when there is none; `undefined` when it is no decimal.
 * Like the amounts of our own interface it has digits on both sides, and no zero before other digits.
 */
function dotIn(text: string, from: number): number | undefined {
  let dot = text.length
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === DOT && dot === text.length) dot = at
    else if (code < ZERO || code > NINE) return undefined
  }
  const isZeroLed = dot - from > 1 && text.charCodeAt(from) === ZERO
  return dot === from || dot === text.length - 1 || isZeroLed ? undefined : dot
}

/** The digits of a decimal as if it had no dot. */
function digitsOf(text: string): number {
  let digits = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code >= ZERO) digits = digits * TEN + code - ZERO
  }
  return text.charCodeAt(0) === MINUS ? -digits : digits
}

/** Writes what `parseUnits` reads, with all decimals. */
export function formatUnits(units: bigint, decimals: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}
