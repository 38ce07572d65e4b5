import { parseArgs } from 'node:util'
import { seedFrom } from '../flow/crash/random.ts'
import { startDurableCluster } from '../support/cluster.ts'
import { formatCounts } from '../support/counts.ts'
import { TEST_POSTGRES } from '../support/server-name.ts'
import { filterCells, makeCells, sampleCells } from './cell.ts'
import { DEPLOYED } from './lane.ts'
import { runCells } from './run.ts'
import type { Result } from './run.ts'

// `npm run crash-matrix`: breaks the platform at every failpoint in every way, lets it come back, and counts the
// money. `-- WORD…` runs the cells with these words in their names, `-- --sample N` so many drawn by
// PINGZHANG_SEED. Its last line is `N passed, N failed`.

const LANES = 8

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string' },
    lanes: { type: 'string', default: String(LANES) },
    gateway: { type: 'string', default: DEPLOYED.gateway },
    worker: { type: 'string', default: DEPLOYED.worker },
    verbose: { type: 'boolean', default: false },
  },
})
const seed = seedFrom(process.env['PINGZHANG_SEED'])
const wanted = filterCells(
  makeCells(),
  positionals.flatMap((text) => text.split(' ')),
)
// Shuffled in any case: neighbours in the table, which take equally long, go to different lanes.
const cells = sampleCells(wanted, Number(values.sample ?? wanted.length), seed)
console.log(`crash matrix: ${cells.length} cells, PINGZHANG_SEED=${seed}`)

const startedAt = performance.now()
const passed = cells.length === 0 ? 0 : await runAll()
const failed = Math.max(cells.length - passed, cells.length === 0 ? 1 : 0)
if (failed > 0) console.log(`repeat one with: npm run crash-matrix -- 'ITS NAME'`)
console.log(`crash matrix: ${secondsOf(performance.now() - startedAt)}`)
console.log(formatCounts({ passed, failed, skipped: 0 }))
process.exit(failed === 0 ? 0 : 1)

/** Says what failed as it fails, and returns how many passed; what did not run has not. */
async function runAll(): Promise<number> {
  let count = 0
  const cluster = await startDurableCluster()
  process.env[TEST_POSTGRES] = cluster.url
  const entries = { gateway: values.gateway, worker: values.worker }
  function onResult({ cell, problems, tookMs }: Result): void {
    const name = `${cell.name} (${secondsOf(tookMs)})`
    if (problems.length === 0) count += 1
    if (problems.length > 0) console.log(`FAILED ${name}: ${problems.join('; ')}`)
    else if (values.verbose) console.log(`passed ${name}`)
  }
  try {
    await runCells({ cells, lanes: Number(values.lanes), entries, onResult })
  } catch (error) {
    console.log(`the matrix stopped: ${String(error)}`)
  } finally {
    await cluster.remove()
  }
  return count
}

function secondsOf(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
