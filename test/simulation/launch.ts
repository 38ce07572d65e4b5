import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CONTROL } from '../failpoint/control.ts'
import { PLANT } from './plant-name.ts'
import { report } from './report.ts'
import type { Report } from './report.ts'

export interface Wish {
  readonly seed: number
  readonly runs: number
  /** No further run begins after this. */
  readonly seconds: number
  /** Where a failure was, as its message says; then only that one is played. */
  readonly path?: string | undefined
  readonly replay?: string | undefined
  /** Without looking for a shorter history that fails. */
  readonly stopAtFailure?: boolean
  /** The name of a bug to put into our code first. */
  readonly plant?: string
}

/** The last run may end, and a process that hangs is ended. */
const PATIENCE_MS = 180_000

const PLAY = fileURLToPath(new URL('play.ts', import.meta.url))
const PLANTER = fileURLToPath(new URL('plant.ts', import.meta.url))

/** Plays histories in a process of its own, where the failpoints are armed and bugs can be planted. */
export async function playHistories(wish: Wish): Promise<Report> {
  const directory = await mkdtemp(join(tmpdir(), 'pingzhang-simulation-'))
  try {
    const child = Bun.spawn([process.execPath, ...wordsOf(wish)], {
      env: {
        ...process.env,
        PGAPPNAME: `simulation-${crypto.randomUUID()}`,
        [CONTROL]: join(directory, 'control'),
        ...(wish.plant === undefined ? {} : { [PLANT]: wish.plant }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: wish.seconds * 1000 + PATIENCE_MS,
      killSignal: 'SIGKILL',
    })
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    const exitCode = await child.exited
    const last = out.trimEnd().split('\n').at(-1) ?? ''
    if (exitCode !== 0 || !last.startsWith('{')) {
      throw new Error(`the simulation ended with ${exitCode}:\n${out}${err}`)
    }
    return report.parse(JSON.parse(last))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const wordsOf = (wish: Wish): string[] => [
  '--conditions=test',
  ...(wish.plant === undefined ? [] : ['--preload', PLANTER]),
  PLAY,
  `--seed=${wish.seed}`,
  `--runs=${wish.runs}`,
  `--seconds=${wish.seconds}`,
  ...(wish.path === undefined ? [] : [`--path=${wish.path}`]),
  ...(wish.replay === undefined ? [] : [`--replay=${wish.replay}`]),
  ...(wish.stopAtFailure === true ? ['--stop-at-failure'] : []),
]

/** What a person types to see the failure again. */
export function sayFailure({ seed, runs, failure }: Report): string {
  if (failure === undefined) return ''
  const { path, replay, history, problem } = failure
  const names = `PINGZHANG_SEED=${seed} PINGZHANG_PATH='${path}' PINGZHANG_REPLAY='${replay}'`
  return [
    `run ${runs} failed: ${problem}`,
    `history: ${history}`,
    `repeat it with: ${names} bun test test/simulation/model.test.ts`,
  ].join('\n')
}
