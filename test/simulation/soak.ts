import { parseArgs } from 'node:util'
import { seedFrom } from '../flow/crash/random.ts'
import { startTestCluster } from '../support/cluster.ts'
import { formatCounts } from '../support/counts.ts'
import type { Counts as Results } from '../support/counts.ts'
import { TEST_POSTGRES } from '../support/server-name.ts'
import { playHistories, sayFailure } from './launch.ts'
import type { Report } from './report.ts'
import type { Count } from './tally.ts'

// `npm run soak -- --minutes 20`: as many histories as fit into the time, each batch of a new seed, after 1,000
// interleavings of OR-08. Its last line is `N passed, N failed`.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    interleavings: { type: 'string', default: '1000' },
  },
})

const MS_PER_MINUTE = 60_000
const RUNS_PER_SEED = 20
const INTERLEAVING_FILE = 'test/db/interleaving.test.ts'

const endsAt = performance.now() + Number(values.minutes) * MS_PER_MINUTE
const secondsLeft = (): number => Math.max(0, Math.round((endsAt - performance.now()) / 1000))
const cluster = await startTestCluster()
process.env[TEST_POSTGRES] = cluster.url
let passed = 0
let failed = 0
const totals: Record<string, Count> = {}

await playInterleavings()
while (secondsLeft() > 0) await playBatch()
await cluster.remove()

console.log('command, ran, had an effect:', totals)
const results: Results = { passed, failed, skipped: 0 }
console.log(formatCounts(results))
process.exit(failed === 0 ? 0 : 1)

/** OR-08 is a test file of its own, which counts as one. */
async function playInterleavings(): Promise<void> {
  const child = Bun.spawn([process.execPath, 'test', INTERLEAVING_FILE], {
    env: { ...process.env, PINGZHANG_INTERLEAVINGS: values.interleavings },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if ((await child.exited) === 0) passed += 1
  else failed += 1
  console.log(`OR-08 with ${values.interleavings} interleavings; ${secondsLeft()} s left`)
}

async function playBatch(): Promise<void> {
  const seed = seedFrom(undefined)
  const played = await play(seed)
  if (played === undefined) return
  const isBroken = played.failure !== undefined
  passed += isBroken ? played.runs - 1 : played.runs
  failed += isBroken ? 1 : 0
  for (const [name, { ran, hadEffect }] of Object.entries(played.counts)) {
    const total = (totals[name] ??= { ran: 0, hadEffect: 0 })
    total.ran += ran
    total.hadEffect += hadEffect
  }
  if (isBroken) console.log(sayFailure(played))
  console.log(`seed ${seed}: ${passed} passed, ${failed} failed; ${secondsLeft()} s left`)
}

/** A process that ends without a report is one failure. */
async function play(seed: number): Promise<Report | undefined> {
  try {
    return await playHistories({ seed, runs: RUNS_PER_SEED, seconds: secondsLeft() })
  } catch (error) {
    failed += 1
    console.log(`seed ${seed}: ${String(error)}`)
    return undefined
  }
}
