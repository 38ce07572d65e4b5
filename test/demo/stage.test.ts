import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const TIMEOUT_MS = 60_000
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const directory = mkdtempSync(join(tmpdir(), 'pingzhang-stage-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Everything is up when this step is told. */
const BROKEN = `
const { startStage } = await import('#test/demo/stage')
const say = {
  step: (text) => {
    if (text.startsWith('gateway and worker')) throw new Error('the curtain is stuck')
  },
}
await startStage(say).catch((error) => console.log(error.message))`

test(
  'a stage that cannot be set up leaves nothing behind and keeps nobody waiting',
  async () => {
    const child = Bun.spawn([process.execPath, '-e', BROKEN], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: directory },
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: TIMEOUT_MS / 2,
    })
    expect(await new Response(child.stdout).text()).toBe('the curtain is stuck\n')
    // It ended by itself: nothing that it had opened was left to wait for.
    expect(await child.exited).toBe(0)
    expect(readdirSync(directory)).toEqual([])
  },
  TIMEOUT_MS,
)
