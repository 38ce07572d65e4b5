import { parseArgs } from 'node:util'
import { strategies } from '#channel/strategies'
import type { Strategy } from '#channel/registry'
import { systemClock } from '#domain/time'
import { benchCallback } from './callback.ts'
import { benchCreate } from './create.ts'
import { benchCrypto } from './crypto.ts'
import { benchDrain } from './drain.ts'
import { benchReconciliation } from './reconciliation.ts'
import { VENDORS } from './vendor/table.ts'

// `bun run bench -- --json`: the last line is one object with every figure.

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    /** A part, such as `callback`, or a part of a part, such as `callback.alipay`. */
    only: { type: 'string' },
    /** Distinct callbacks of WeChat Pay's set, which every phase begins anew; the other vendors have half. */
    count: { type: 'string', default: '40000' },
    /** How often the phases alternate; medians count. */
    rounds: { type: 'string', default: '3' },
    /** Payments created each way. */
    requests: { type: 'string', default: '400' },
    /** Callbacks of the backlog that is drained. */
    backlog: { type: 'string', default: '20000' },
    /** Lines of the bill that is reconciled. */
    lines: { type: 'string', default: '1000000' },
    /** Also drains ten times that many, and reconciles a bill three times as long. */
    full: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => console.error(line)

/** Part by part, and within a part by name; a part without names is one figure of its own. */
type Bench = (() => Promise<unknown>) | Readonly<Record<string, () => Promise<unknown>>>

/** Four full sets would take a quarter of an hour. The figures say how many callbacks they are of. */
function callbackOf(vendor: string): () => Promise<unknown> {
  const full = Number(values.count)
  const count = vendor === 'wechat_pay' ? full : Math.ceil(full / 2)
  const rounds = Number(values.rounds)
  return () => benchCallback({ vendor, count, rounds, now: systemClock.now(), say })
}

const createOf = ([strategy, { channelName }]: [string, Strategy]) => {
  const requests = Number(values.requests)
  return [channelName, () => benchCreate({ strategy, requests, say })] as const
}

const benches: Readonly<Record<string, Bench>> = {
  crypto: benchCrypto,
  callback: Object.fromEntries(Object.keys(VENDORS).map((name) => [name, callbackOf(name)])),
  create: Object.fromEntries(Object.entries(strategies).map(createOf)),
  drain: () =>
    benchDrain({
      count: Number(values.backlog),
      isFull: values.full,
      now: systemClock.now(),
      say,
    }),
  reconciliation: () =>
    benchReconciliation({
      lines: Number(values.lines),
      isFull: values.full,
      now: systemClock.now(),
      say,
    }),
}

/** Runs what `only` names, or everything. */
async function run(only: string | undefined): Promise<Record<string, unknown>> {
  const [part, name] = only?.split('.') ?? []
  const figures: Record<string, unknown> = {}
  for (const [key, bench] of Object.entries(benches)) {
    if (part === undefined || key === part) figures[key] = await runPart(bench, name)
  }
  if (Object.keys(figures).length === 0) throw new Error(`no benchmark is called ${only}`)
  return figures
}

async function runPart(bench: Bench, only: string | undefined): Promise<unknown> {
  if (typeof bench === 'function') return bench()
  const figures: Record<string, unknown> = {}
  for (const [name, one] of Object.entries(bench)) {
    if (only === undefined || name === only) figures[name] = await one()
  }
  if (Object.keys(figures).length === 0) throw new Error(`no part of it is called ${only}`)
  return figures
}

const figures = await run(values.only)
console.log(values.json ? JSON.stringify(figures) : JSON.stringify(figures, undefined, 2))
process.exit(0)
