/** The currencies that can be taken. Another one is added together with its number of decimals. */
export type Currency = 'CNY'

/** An exact amount. `minor` counts the smallest unit of the currency: fen for CNY. */
export interface Money {
  readonly currency: Currency
  readonly minor: bigint
}

/** The largest amount that JSON numbers carry exactly; our API refuses more. */
export const AMOUNT_MINOR_MAX = 2n ** 53n - 1n

const YUAN = /^(0|[1-9]\d{0,14})(?:\.(\d{1,2}))?$/

/** An amount in fen. */
export const cny = (minor: bigint): Money => ({ currency: 'CNY', minor })

/** Reads a decimal yuan amount. Anything it would have to round, it refuses. */
export function parseYuan(text: string): Money | undefined {
  const match = YUAN.exec(text)
  const yuan = match?.[1]
  if (yuan === undefined) return undefined
  const fen = (match?.[2] ?? '').padEnd(2, '0')
  return cny(BigInt(yuan) * 100n + BigInt(fen))
}

/** Writes yuan with exactly two decimals, as Alipay and bills expect it. */
export function formatYuan(money: Money): string {
  const digits = money.minor.toString().padStart(3, '0')
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** Reads whole minor units from a JSON number: an exact integer of at least one, or `undefined`. */
export function parseMinor(value: unknown): bigint | undefined {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) return undefined
  return BigInt(value)
}

/** Minor units as a JSON number. Exact, because larger amounts never enter. */
export function jsonMinor(minor: bigint): number {
  return Number(minor)
}
