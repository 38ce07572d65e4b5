import { parseArgs } from 'node:util'
import { systemClock } from '#domain/time'
import { benchCallback } from './callback.ts'
import { benchCrypto } from './crypto.ts'

// `bun run bench -- --json`: the last line is one object with every figure.

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    /** Distinct callbacks of the set; every phase begins it anew. */
    count: { type: 'string', default: '40000' },
    /** How often the phases alternate; medians count. */
    rounds: { type: 'string', default: '3' },
  },
})

const say = (line: string): void => console.error(line)

const benches: Readonly<Record<string, () => Promise<unknown>>> = {
  crypto: benchCrypto,
  callback: async () => ({
    wechat_pay: await benchCallback({
      count: Number(values.count),
      rounds: Number(values.rounds),
      now: systemClock.now(),
      say,
    }),
  }),
}

const names = values.only === undefined ? Object.keys(benches) : [values.only]
const figures: Record<string, unknown> = {}
for (const name of names) {
  const bench = benches[name]
  if (bench === undefined) throw new Error(`no benchmark is called ${name}`)
  figures[name] = await bench()
}
console.log(values.json ? JSON.stringify(figures) : JSON.stringify(figures, undefined, 2))
process.exit(0)
