import fc from 'fast-check'
import { parseArgs } from 'node:util'
import { historyProperty } from './property.ts'
import { createTally } from './tally.ts'
import { openTown } from './town.ts'
import type { Report } from './report.ts'

// Plays histories in a process of its own, with the failpoints armed: `bun --conditions=test play.ts --seed 1
// --runs 20 --seconds 60`. The last line is a report as JSON. `launch.ts` starts it.

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string' },
    seconds: { type: 'string' },
    path: { type: 'string' },
    replay: { type: 'string' },
    'stop-at-failure': { type: 'boolean', default: false },
  },
})

const REPLAY_PATH = /replayPath="([^"]*)"/
const seed = Number(values.seed)
const startedMs = performance.now()
const town = await openTown()
const tally = createTally()
const runs = values.path === undefined ? Number(values.runs) : 1
const details = await fc.check(historyProperty(town, tally, values.replay), {
  seed,
  numRuns: runs,
  endOnFailure: values['stop-at-failure'],
  interruptAfterTimeLimit: Number(values.seconds) * 1000,
  ...(values.path === undefined ? {} : { path: values.path }),
})
await town.stop()

const history = details.counterexample === null ? '' : fc.stringify(details.counterexample)
const report: Report = {
  seed,
  runs: details.numRuns,
  wasCutShort: details.interrupted,
  seconds: Math.round((performance.now() - startedMs) / 100) / 10,
  counts: tally.counts(),
  ...(details.counterexample === null
    ? {}
    : {
        failure: {
          path: details.counterexamplePath,
          replay: values.replay ?? REPLAY_PATH.exec(history)?.[1] ?? '',
          history,
          problem: String(details.errorInstance),
        },
      }),
}
console.log(JSON.stringify(report))
process.exit(0)
