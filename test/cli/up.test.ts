import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { isRunning } from '#db/embedded/process'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 60_000
const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

const data = mkdtempSync(join(tmpdir(), 'pingzhang-up-'))
afterAll(() => rmSync(data, { recursive: true, force: true }))

const addresses = z.object({ gateway: z.url(), public_url: z.url(), database: z.string() })

async function freePort(): Promise<number | undefined> {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
  const { port } = server
  await server.stop(true)
  return port
}

/** Containers often have none. */
function hasIpv6(): boolean {
  return Object.values(networkInterfaces())
    .flat()
    .some((own) => own?.address === '::1')
}

const start = (env: Readonly<Record<string, string>>) =>
  Bun.spawn([process.execPath, MAIN, 'up', '--json', '--data', data], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      PINGZHANG_PG_BIN: process.env['PINGZHANG_PG_BIN'],
      PINGZHANG_SEAL_KEY: '5a'.repeat(32),
      PINGZHANG_PUBLIC_URL: 'https://pay.example.com',
      PINGZHANG_POINTS_URL: 'http://127.0.0.1:1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

/** Keeps what a stream says. It reads to the end: a closed pipe would end those who write into it. */
function collect(stream: ReadableStream<Uint8Array>): { text: string } {
  const collected = { text: '' }
  const decoder = new TextDecoder()
  const read = async (): Promise<void> => {
    for await (const chunk of stream) collected.text += decoder.decode(chunk, { stream: true })
  }
  void read()
  return collected
}

test(
  'up runs everything until Ctrl-C',
  async () => {
    const child = start({ PINGZHANG_PORT: String(await freePort()) })
    const [out, log] = [collect(child.stdout), collect(child.stderr)]
    await waitFor('the worker', () => log.text.includes('worker is ready') || undefined)
    const line = await waitFor('addresses', () => out.text || undefined)
    const { gateway } = addresses.parse(JSON.parse(line))
    expect((await fetch(`${gateway}/readyz`)).status).toBe(200)
    child.kill('SIGINT')
    expect(await child.exited).toBe(0)
    expect(await fetch(`${gateway}/healthz`).catch(() => 'gone')).toBe('gone')
  },
  TIMEOUT_MS,
)

const line = z.object({ name: z.string(), pid: z.number(), msg: z.string() })

/** Ids of the processes of this name that said that they are ready, in their order. */
function readyPids(log: string, name: string): number[] {
  return log.split('\n').flatMap((text) => {
    if (!text.startsWith('{') || !text.endsWith('}')) return []
    const parsed = line.safeParse(JSON.parse(text))
    const isReady = parsed.success && parsed.data.msg === `${name} is ready`
    return isReady ? [parsed.data.pid] : []
  })
}

test(
  'up starts a dead child again, and its children do not outlive its own kill -9',
  async () => {
    const child = start({ PINGZHANG_PORT: String(await freePort()) })
    const [out, log] = [collect(child.stdout), collect(child.stderr)]
    const { gateway } = addresses.parse(
      JSON.parse(await waitFor('addresses', () => out.text || undefined)),
    )
    const alive: number[] = []
    for (const name of ['gateway', 'worker']) {
      const first = await waitFor(name, () => readyPids(log.text, name)[0])
      process.kill(first, 'SIGKILL')
      const second = await waitFor(`another ${name}`, () => readyPids(log.text, name)[1])
      expect(log.text).toContain(`the ${name} ended with 137; it starts again`)
      alive.push(second)
    }
    expect((await fetch(`${gateway}/readyz`)).status).toBe(200)
    expect(alive.filter(isRunning)).toEqual(alive)
    child.kill('SIGKILL')
    await child.exited
    await waitFor('the end of the children', () => !alive.some(isRunning) || undefined)
    expect(await fetch(`${gateway}/healthz`).catch(() => 'gone')).toBe('gone')
  },
  TIMEOUT_MS,
)

test(
  'up stops everything when the gateway cannot start',
  async () => {
    const taken = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => new Response('', { status: 404 }),
    })
    const child = start({
      PINGZHANG_PORT: String(await freePort()),
      PINGZHANG_OPERATIONS_PORT: String(taken.port),
    })
    const errors = await new Response(child.stderr).text()
    expect(await child.exited).toBe(3)
    expect(errors).toMatch(/error: the gateway ended with 1/)
    await taken.stop(true)
  },
  TIMEOUT_MS,
)

test('up names the variable that is missing before it starts anything', async () => {
  const child = start({ PINGZHANG_SEAL_KEY: '' })
  expect(await new Response(child.stderr).text()).toMatch(
    /^error: PINGZHANG_SEAL_KEY is not set[^\n]*\n$/,
  )
  expect(await child.exited).toBe(3)
})

test(
  'up starts nothing when something answers at its address already',
  async () => {
    const other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => Response.json({}) })
    const child = start({ PINGZHANG_PORT: String(other.port), DATABASE_URL: 'postgres://nobody' })
    expect(await new Response(child.stderr).text()).toMatch(
      /^error: something answers at http:\/\/127\.0\.0\.1:\d+ already[^\n]*\n$/,
    )
    expect(await child.exited).toBe(3)
    await other.stop(true)
  },
  TIMEOUT_MS,
)

test.skipIf(!hasIpv6())(
  'up finds its gateway at an IPv6 address (where the machine has one)',
  async () => {
    const child = start({ PINGZHANG_HOST: '::1', PINGZHANG_PORT: String(await freePort()) })
    const out = collect(child.stdout)
    const text = await waitFor('addresses', () => out.text || undefined, TIMEOUT_MS)
    const { gateway } = addresses.parse(JSON.parse(text))
    expect(gateway).toStartWith('http://[::1]:')
    expect((await fetch(`${gateway}/readyz`)).status).toBe(200)
    child.kill('SIGINT')
    expect(await child.exited).toBe(0)
  },
  TIMEOUT_MS,
)
