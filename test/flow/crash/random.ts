/** Numbers that look random and come again with the same seed. */
export interface Random {
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number
  shuffle<T>(items: readonly T[]): T[]
}

/** Reads `PINGZHANG_SEED`, or draws a seed, so that a failed run can be repeated. */
export function seedFrom(text: string | undefined): number {
  if (text !== undefined && /^\d{1,10}$/.test(text)) return Number(text) >>> 0
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
}

/** The generator is mulberry32: 32 bits of state are plenty for a schedule of kills. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  const between = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1))

  function shuffle<T>(items: readonly T[]): T[] {
    const keyed = items.map((item) => ({ item, key: next() }))
    return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item)
  }

  return { between, shuffle }
}
