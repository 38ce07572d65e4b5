import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Clock } from '#domain/time'

/** The variable with the path of the file that all processes of the demo read. */
export const CLOCK_FILE = 'PINGZHANG_DEMO_CLOCK'

/** The machine's time and as many milliseconds as the file says: the processes of the demo agree on it. */
export const clockOf = (path: string): Clock => ({
  now: () => new Date(Date.now() + Number(readFileSync(path, 'utf8'))),
})

/** Moves the clock of everybody who reads the file. No reader meets half a number. */
export function moveClock(path: string, aheadMs: number): void {
  const next = `${path}.next`
  writeFileSync(next, String(Math.round(aheadMs)))
  renameSync(next, path)
}
