import { expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'
import { CONTROL } from '../failpoint/control.ts'

// A process that takes money does not start when a failpoint could break it. Nothing else is set here: it is the
// first thing that each of them looks at.

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TEST_MS_MAX = 30_000

interface Start {
  readonly words: readonly string[]
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

async function start({ words, flags = [], env = {} }: Start) {
  const child = Bun.spawn([process.execPath, ...flags, ...words], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, output: `${out}${err}` }
}

const ENTRIES = [
  { name: 'the gateway', words: ['gateway/main.ts'], code: 1 },
  { name: 'the worker', words: ['worker/main.ts'], code: 1 },
  { name: '`up`', words: ['cli/main.ts', 'up'], code: 3 },
] as const

test.each(ENTRIES)(
  '$name does not start with failpoints built in',
  async ({ words, code }) => {
    const ended = await start({ words, flags: ['--conditions=test'] })
    expect(ended.output).toContain('failpoints are built in: start without the condition `test`')
    expect(ended.code).toBe(code)
  },
  TEST_MS_MAX,
)

test.each(ENTRIES)(
  '$name does not start with a failpoint asked for',
  async ({ words, code }) => {
    const ended = await start({ words, env: { [CONTROL]: '/nowhere/control' } })
    expect(ended.output).toContain(`${CONTROL} is for tests: unset it`)
    expect(ended.code).toBe(code)
  },
  TEST_MS_MAX,
)

test.each(ENTRIES)(
  '$name without either looks at its own settings',
  async ({ words }) => {
    const ended = await start({ words, env: { [CONTROL]: '' } })
    expect(ended.output).toMatch(/PINGZHANG_SEAL_KEY|DATABASE_URL/)
    expect(ended.output).not.toContain('failpoint')
  },
  TEST_MS_MAX,
)
