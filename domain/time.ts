/** Tells the time. The real one is made only in files called `main.ts`. */
export interface Clock {
  now(): Date
}

/** The clock of the machine. */
export const systemClock: Clock = { now: () => new Date() }

const MS_PER_SECOND = 1000
const CHINA_OFFSET_MS = 8 * 3600 * MS_PER_SECOND

/** Whole seconds since 1970, as vendors sign them. */
export const unixSeconds = (moment: Date): number => Math.floor(moment.getTime() / MS_PER_SECOND)

export const addMs = (moment: Date, ms: number): Date => new Date(moment.getTime() + ms)

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/

/** Reads an RFC 3339 moment with its offset; fractions of a second may be there. */
export function parseRfc3339(text: string): Date | undefined {
  if (!RFC3339.test(text)) return undefined
  const moment = new Date(text)
  return Number.isNaN(moment.getTime()) ? undefined : moment
}

/** Writes a moment as RFC 3339 in China's offset, without fractions: the form that vendors document. */
export function formatChinaTime(moment: Date): string {
  const local = new Date(moment.getTime() + CHINA_OFFSET_MS).toISOString()
  return `${local.slice(0, 19)}+08:00`
}
