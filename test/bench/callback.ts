import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { assert } from '#domain/assert'
import { startDurableCluster } from '../support/cluster.ts'
import { signSet } from './callback-set.ts'
import { withSecrets } from './channel.ts'
import { runChild, startChild } from './child.ts'
import { makeDatabase } from './database.ts'
import { median, rounded } from './figure.ts'
import { findVendor } from './vendor/table.ts'
import { VENDOR_URL } from './vendor/vendor.ts'
import type { BenchAccount } from './vendor/vendor.ts'

export interface CallbackOptions {
  /** The name of the channel. */
  readonly vendor: string
  readonly count: number
  readonly rounds: number
  /** The moment of every signature, and the gateway's clock. */
  readonly now: Date
  readonly say: (line: string) => void
}

interface Bench {
  readonly server: string
  readonly account: BenchAccount
  readonly now: Date
  readonly path: string
  readonly warmUp: number
}

type Mode = 'stored' | 'verify_only' | 'one_by_one'

const PHASE_SECONDS_MAX = 15
const LATENCY_RATE = 300
const LATENCY_SECONDS = 10
const WARM_UP_MAX = 2000

const loadSchema = z.object({
  failed: z.number(),
  answered: z.number(),
  per_second: z.number().default(0),
  p50_ms: z.number().default(0),
  p99_ms: z.number().default(0),
})

/** How many callbacks a second are verified and durably stored, beside what bounds it from both sides. */
export async function benchCallback(options: CallbackOptions) {
  const directory = await mkdtemp(join(tmpdir(), 'pingzhang-bench-'))
  const cluster = await startDurableCluster()
  try {
    const { vendor, now, count, say } = options
    const { keys, account } = await findVendor(vendor).open(now)
    const path = await signSet(directory, { vendor, keys, now, count })
    const warmUp = Math.min(WARM_UP_MAX, Math.floor(count / 10))
    say(`${vendor}: signed ${count} callbacks`)
    return await measure({ server: cluster.url, account, now, path, warmUp }, options)
  } finally {
    await cluster.remove()
    await rm(directory, { recursive: true, force: true })
  }
}

async function measure(bench: Bench, { vendor, count, rounds, say }: CallbackOptions) {
  const found: Figures[] = []
  for (let round = 1; round <= rounds; round += 1) {
    const figures = await runRound(bench)
    say(`${vendor}, round ${round}: ${JSON.stringify(figures)}`)
    found.push(figures)
  }
  const of = (name: keyof Figures): number => median(found.map((figures) => figures[name]))
  return {
    callbacks: count,
    stored_per_second: Math.round(of('stored')),
    verify_only_per_second: Math.round(of('verifyOnly')),
    one_by_one_per_second: Math.round(of('oneByOne')),
    ratio_verify_only: rounded(of('stored') / of('verifyOnly')),
    ratio_one_by_one: rounded(of('stored') / of('oneByOne')),
    ratio_crypto: rounded(of('verifyOnly') / of('bare')),
    p50_ms: rounded(of('p50')),
    p99_ms: rounded(of('p99')),
    rss_mb: of('rss'),
  }
}

type Figures = Awaited<ReturnType<typeof runRound>>

/** Every phase once. Rounds repeat them in turn, so that a slow minute of the machine meets all alike. */
async function runRound(bench: Bench) {
  const stored = await runPhase(bench, 'stored')
  const verifyOnly = await runPhase(bench, 'verify_only')
  const oneByOne = await runPhase(bench, 'one_by_one')
  const bare = await runChild('bare.ts', bench, z.number())
  const latency = await runPhase(bench, 'stored', LATENCY_RATE)
  return {
    stored: stored.per_second,
    verifyOnly: verifyOnly.per_second,
    oneByOne: oneByOne.per_second,
    bare,
    p50: latency.p50_ms,
    p99: latency.p99_ms,
    rss: stored.rss_mb,
  }
}

/** One gateway on one new database under one load. At a given rate its latency is what counts. */
async function runPhase(bench: Bench, mode: Mode, rate?: number) {
  const { server, now, path } = bench
  const database = await makeDatabase(server, withSecrets(bench.account))
  const localHosts = [new URL(VENDOR_URL).host]
  const gateway = startChild('gateway.ts', { mode, databaseUrl: database.url, now, localHosts })
  try {
    const { url } = await gateway.next(z.object({ url: z.string() }))
    const { account } = database
    const pace =
      rate === undefined
        ? { secondsMax: PHASE_SECONDS_MAX, warmUp: bench.warmUp }
        : { secondsMax: LATENCY_SECONDS, warmUp: rate, rate }
    const load = await runChild('load.ts', { url, account, path, ...pace }, loadSchema)
    assert(load.failed === 0, `${load.failed} of ${load.answered} callbacks failed in ${mode}`)
    gateway.endInput()
    const { rss_mb } = await gateway.next(z.object({ rss_mb: z.number() }))
    await gateway.finished()
    const rows = await database.countNotifications()
    const expected = mode === 'verify_only' ? 0 : load.answered
    assert(rows === expected, `${mode} answered ${load.answered} and stored ${rows}`)
    return { ...load, rss_mb }
  } finally {
    gateway.kill()
    await database.drop()
  }
}
