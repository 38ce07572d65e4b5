import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { seedFrom } from '../flow/crash/random.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { playHistories, sayFailure } from './launch.ts'
import { PLANTED_BUGS } from './planted.ts'
import { COMMAND_NAMES } from './property.ts'

// Any history of commands leaves what the model says, and no step of it breaks an invariant (design, section 7).

const RUNS = 20
/** Two free cores need less than half of it. A machine that is far too busy plays fewer, and says so. */
const SECONDS = 120
const RUNS_MIN = 3
/** Fixed, so that what the run covers is known; `npm run soak` draws a new one each time. */
const SEED = 1
const PLANTED_RUNS = 60
const PLANTED_SECONDS = 240
const TEST_MS_MAX = 300_000

let database: TestDatabase
beforeAll(async () => {
  // The server that the children share.
  database = await cloneDatabase()
}, TEST_MS_MAX)
afterAll(() => database.drop())

test(
  `${RUNS} histories end as the model says`,
  async () => {
    const given = process.env['PINGZHANG_SEED']
    const seed = given === undefined ? SEED : seedFrom(given)
    const path = process.env['PINGZHANG_PATH']
    const replay = process.env['PINGZHANG_REPLAY']
    const played = await playHistories({ seed, runs: RUNS, seconds: SECONDS, path, replay })
    console.log(`simulation: PINGZHANG_SEED=${seed}, ${played.runs} runs in ${played.seconds} s`)
    console.log('simulation: command, ran, had an effect:', played.counts)
    if (played.failure !== undefined) throw new Error(sayFailure(played))
    if (given !== undefined) return
    expect(played.runs).toBeGreaterThanOrEqual(played.wasCutShort ? RUNS_MIN : RUNS)
    if (played.wasCutShort) return
    // A command that never ran, or never did anything, has proved nothing.
    expect(Object.keys(played.counts).toSorted()).toEqual([...COMMAND_NAMES].toSorted())
    const idle = Object.entries(played.counts).filter(([, { hadEffect }]) => hadEffect === 0)
    expect(idle).toEqual([])
  },
  TEST_MS_MAX,
)

describe('sees a planted bug:', () => {
  test.each(PLANTED_BUGS.map((bug) => [bug.name, bug] as const))(
    '%s',
    async (name, { seed, seenAs }) => {
      const played = await playHistories({
        seed,
        runs: PLANTED_RUNS,
        seconds: PLANTED_SECONDS,
        plant: name,
        stopAtFailure: true,
      })
      console.log(`simulation: ${name}: seen in run ${played.runs}, ${played.seconds} s`)
      expect(played.failure?.problem ?? `nothing in ${played.runs} runs`).toMatch(seenAs)
    },
    TEST_MS_MAX,
  )
})
