import { Failure } from './failure.ts'

const LIMIT_MAX = 10_000

/** How many rows a list shows. */
export function readLimit(text: string): number {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= LIMIT_MAX) return limit
  throw new Failure('usage', `--limit takes a number from 1 to ${LIMIT_MAX}`)
}
