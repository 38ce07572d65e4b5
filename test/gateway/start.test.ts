import { afterAll, beforeAll, expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'
import { startDurableCluster } from '../support/cluster.ts'
import type { TestCluster } from '../support/cluster.ts'
import { freePort } from '../support/port.ts'
import { migrate } from '#db/migrate'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TIMEOUT_MS = 30_000

let cluster: TestCluster

beforeAll(async () => {
  cluster = await startDurableCluster()
  await migrate(cluster.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await cluster.remove()
}, TIMEOUT_MS)

const environment = () => ({
  PATH: process.env['PATH'] ?? '',
  DATABASE_URL: cluster.url,
  PINGZHANG_SEAL_KEY: '5a'.repeat(32),
  PINGZHANG_PUBLIC_URL: 'http://127.0.0.1:1',
  PINGZHANG_POINTS_URL: 'http://127.0.0.1:1',
})

async function start(entry: string, changes: Readonly<Record<string, string>>) {
  const child = Bun.spawn([process.execPath, entry], {
    cwd: ROOT,
    env: { ...environment(), ...changes },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const output = await new Response(child.stdout).text()
  return { code: await child.exited, output }
}

test.each([
  ['gateway/main.ts', 'DATABASE_URL'],
  ['gateway/main.ts', 'PINGZHANG_SEAL_KEY'],
  ['gateway/main.ts', 'PINGZHANG_PUBLIC_URL'],
  ['worker/main.ts', 'PINGZHANG_POINTS_URL'],
])(
  '%s without %s names it and stops',
  async (entry, variable) => {
    const { code, output } = await start(entry, { [variable]: '' })
    expect(code).toBe(1)
    expect(output).toContain(`${variable} is not set`)
  },
  TIMEOUT_MS,
)

/** The last line of a log that a gateway of this environment writes when it is ready. */
async function readyLine(changes: Readonly<Record<string, string>>): Promise<unknown> {
  const child = Bun.spawn([process.execPath, 'gateway/main.ts'], {
    cwd: ROOT,
    env: { ...environment(), PINGZHANG_PORT: String(await freePort()), ...changes },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('gateway is ready')) child.kill('SIGTERM')
  }
  expect(await child.exited).toBe(0)
  return JSON.parse(text.split('\n').find((line) => line.includes('gateway is ready')) ?? '')
}

test(
  'opens the listener for operators where a port is given; an empty variable gives none',
  async () => {
    const port = String(await freePort())
    expect(await readyLine({ PINGZHANG_OPERATIONS_PORT: port })).toMatchObject({
      operations_url: `http://127.0.0.1:${port}`,
    })
    expect(await readyLine({ PINGZHANG_OPERATIONS_PORT: '' })).not.toHaveProperty('operations_url')
  },
  TIMEOUT_MS,
)

test('a wrong seal key is refused and never repeated', async () => {
  const { code, output } = await start('gateway/main.ts', { PINGZHANG_SEAL_KEY: 'c0ffee-c0ffee' })
  expect(code).toBe(1)
  expect(output).toContain('PINGZHANG_SEAL_KEY is not 64 hex digits')
  expect(output).not.toContain('c0ffee')
})

test.skipIf(process.platform !== 'linux')(
  'a port that is taken is named with its owner (Linux tells it)',
  async () => {
    const owner = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
    const port = String(owner.port)
    const { code, output } = await start('gateway/main.ts', { PINGZHANG_PORT: port })
    await owner.stop(true)
    expect(code).toBe(1)
    expect(output).toContain(`port ${port} is taken by process ${process.pid}`)
  },
  TIMEOUT_MS,
)

test(
  'a database that would lose acknowledged rows is refused (F44)',
  async () => {
    const url = new URL(cluster.url)
    url.searchParams.set('options', '-c synchronous_commit=off')
    const { code, output } = await start('gateway/main.ts', { DATABASE_URL: url.href })
    expect(output).toContain('must have fsync=on and synchronous_commit=on')
    expect(code).toBe(1)
  },
  TIMEOUT_MS,
)
