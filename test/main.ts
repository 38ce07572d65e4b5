import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startTestCluster } from './support/cluster.ts'
import { addCounts, type Counts, formatCounts, readCounts } from './support/counts.ts'
import { TEST_POSTGRES } from './support/server-name.ts'

// What `npm test` runs. Its last line is `N passed, N failed`, whatever happened before.

const root = fileURLToPath(new URL('../', import.meta.url))
const bin = join(root, 'node_modules', '.bin')
/** Twice what the tests take on two busy cores; a step that hangs must still be counted as failed. */
const STEP_MS_MAX = 1_500_000
/** Of one test without a limit of its own: a machine that does something else beside is no failure. */
const TEST_MS_MAX = 20_000

/** One more than the two cores that we plan for: most tests wait, for PostgreSQL or for time to pass. */
const TEST_PROCESSES = 3

/** Checks that are not tests. Each counts as one failure if it fails. */
const CHECKS = [
  { name: 'format', command: ['bun', 'fmt', '--check'] },
  { name: 'types', command: ['bun', 'check'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
]

let counts: Counts = { passed: 0, failed: 0, skipped: 0 }
for (const { name, command } of CHECKS) {
  const { succeeded, output, tookMs } = await run(command)
  console.log(`${name}: ${succeeded ? 'in order' : 'FAILED'} (${seconds(tookMs)})`)
  if (succeeded) continue
  console.log(output)
  counts = addCounts(counts, { passed: 0, failed: 1, skipped: 0 })
}
counts = addCounts(counts, await runTests(process.argv.slice(2)))
console.log(formatCounts(counts))
process.exit(counts.failed === 0 ? 0 : 1)

/** Runs the test files beside one PostgreSQL. A run that ends without a report is one failure. */
async function runTests(filters: readonly string[]): Promise<Counts> {
  const directory = await mkdtemp(join(tmpdir(), 'pingzhang-report-'))
  try {
    const report = join(directory, 'junit.xml')
    const command = [
      'bun',
      'test',
      '--only-failures',
      `--parallel=${TEST_PROCESSES}`,
      '--parallel-delay=0',
      `--timeout=${TEST_MS_MAX}`,
      '--reporter=junit',
      `--reporter-outfile=${report}`,
      ...filters,
    ]
    const finished = await runBesidePostgres(command)
    const counted = await readCounts(report)
    const judged = judge(counted, finished)
    const result = counted === undefined ? 'DIED without a report' : formatCounts(judged)
    console.log(`tests: ${result} (${seconds(finished.tookMs)})`)
    if (!finished.succeeded) console.log(finished.output)
    return judged
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/**
 * A file that cannot be loaded is no case in the report, only an error in the output. And an exit
 * code that says "failed" wins over a report that does not.
 */
function judge(counted: Counts | undefined, { succeeded, output }: Run): Counts {
  const found = counted ?? { passed: 0, failed: 0, skipped: 0 }
  if (succeeded && counted !== undefined) return found
  const errors = Number(/^ (\d+) errors?$/m.exec(output)?.[1] ?? 0)
  return { ...found, failed: Math.max(found.failed + errors, 1) }
}

async function runBesidePostgres(command: readonly string[]): Promise<Run> {
  try {
    const cluster = await startTestCluster()
    const finished = await run(command, { [TEST_POSTGRES]: cluster.url })
    await cluster.remove()
    return finished
  } catch (error) {
    return { succeeded: false, output: `no PostgreSQL for the tests: ${String(error)}`, tookMs: 0 }
  }
}

interface Run {
  readonly succeeded: boolean
  readonly output: string
  readonly tookMs: number
}

async function run(
  command: readonly string[],
  extra: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const started = performance.now()
  // `npm test` puts these directories in front itself; a direct `bun test/main.ts` does not.
  const path = [bin, dirname(process.execPath), process.env['PATH']].join(':')
  const child = Bun.spawn([...command], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', PATH: path, ...extra },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: STEP_MS_MAX,
    killSignal: 'SIGKILL',
  })
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)])
  const exitCode = await child.exited
  const output = `${out}${err}`.trimEnd()
  return { succeeded: exitCode === 0, output, tookMs: performance.now() - started }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return new Response(stream).text()
}
