import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AroundName, FailpointName } from '#domain/failpoint'
import { ACTIONS, CONTROL, firedPath, hitsPath } from './control.ts'
import type { FailpointAction } from './control.ts'

// `#failpoint` under the condition `test`: in a child process started with `--conditions=test`.

/** The planted error. */
class FailpointError extends Error {
  override readonly name = 'FailpointError'
}

/** As PostgreSQL refuses text with NUL in it. */
class BadRow extends Error {
  readonly code = '22P05'
}

const control = process.env[CONTROL]
const CUT = fileURLToPath(new URL('cut.ts', import.meta.url))
const LONG_MS = 60_000

const does: Readonly<Record<FailpointAction, (name: FailpointName) => void>> = {
  exit: die,
  // After what this turn of the loop has sent, such as COMMIT, and before its answer is read.
  exit_later: () => void setImmediate(die),
  throw(name) {
    throw new FailpointError(`planted at ${name}`)
  },
  cut: cutConnections,
  bad_row(name) {
    throw new BadRow(`planted at ${name}`)
  },
}

/** This module can break the process: production does not start with it. */
export const CAN_FAIL: boolean = true

/** Does the effect, with a point on either side of it. */
export async function around<T>(effect: AroundName, work: () => Promise<T>): Promise<T> {
  hit(`${effect}:before`)
  const done = await work()
  hit(`${effect}:after`)
  return done
}

/** Writes down that the point was reached, and does what the control file says. */
export function hit(name: FailpointName): void {
  if (control === undefined) return
  appendFileSync(hitsPath(control), `${name}\n`)
  const action = takeAction(control, name)
  if (action !== undefined) does[action](name)
}

/** The action for this point. Its line is taken away before it is done, so that a restart lives. */
function takeAction(path: string, name: FailpointName): FailpointAction | undefined {
  const lines = readLines(path)
  const armed = lines.find((line) => line.startsWith(`${name} `))
  if (armed === undefined) return undefined
  // Rounded up: what has led here was before it.
  writeFileSync(firedPath(path), String(Date.now() + 1))
  const left = lines.filter((line) => line !== armed)
  if (left.length === 0) rmSync(path)
  else writeFileSync(path, left.map((line) => `${line}\n`).join(''))
  const action = ACTIONS.find((known) => armed === `${name} ${known}`)
  if (action === undefined) throw new Error(`${path} names no action: ${armed}`)
  return action
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
  } catch {
    // Nothing is armed.
    return []
  }
}

/** As hard as kill -9: no handler, no flush, no goodbye. */
function die(): void {
  process.kill(process.pid, 'SIGKILL')
  Bun.sleepSync(LONG_MS)
}

/** Ends all database connections of this process, from outside, while it stands still. */
function cutConnections(): void {
  const { PGAPPNAME: application, ...env } = process.env
  if (application === undefined) throw new Error('PGAPPNAME must name this process')
  const { exitCode } = Bun.spawnSync([process.execPath, CUT, application], { env })
  if (exitCode !== 0) throw new Error(`cut ended with ${exitCode}`)
}
