import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { FailpointName } from '#domain/failpoint'

/** What a failpoint does when it is armed. `bad_row`: as if PostgreSQL had refused the data. */
export const ACTIONS = ['exit', 'exit_later', 'throw', 'cut', 'bad_row'] as const
export type FailpointAction = (typeof ACTIONS)[number]

/**
 * Names the control file of a child process. Each line of it is a point and an action, done once.
 *
 * The points that were reached stand in another file beside it. Unset: nothing happens.
 */
export const CONTROL = 'PINGZHANG_FAILPOINT'

export const hitsPath = (control: string): string => `${control}.hit`
/** Written when an armed point is reached: the moment, in milliseconds. A file's own time may lie some before. */
export const firedPath = (control: string): string => `${control}.fired`

/** Tells the child what to do at these points, and forgets what it has reached. */
export function arm(
  control: string,
  ...points: readonly (readonly [name: FailpointName, action: FailpointAction])[]
): void {
  rmSync(hitsPath(control), { force: true })
  rmSync(firedPath(control), { force: true })
  writeFileSync(control, points.map((point) => `${point.join(' ')}\n`).join(''))
}

/** True when every armed point was reached. */
export const hasFired = (control: string): boolean => !existsSync(control)

/** When the last armed point was reached. */
export function firedAt(control: string): Date | undefined {
  const path = firedPath(control)
  return existsSync(path) ? new Date(Number(readFileSync(path, 'utf8'))) : undefined
}

/** The points that the child has reached since it was armed, in their order. */
export function hitsOf(control: string): string[] {
  const path = hitsPath(control)
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : []
}
