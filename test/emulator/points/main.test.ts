import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'

import { parseJson } from '../config.ts'

test('the process says its address when it is ready, and ends when asked', async () => {
  const config = JSON.stringify({ databasePath: ':memory:' })
  const main = join(import.meta.dir, 'main.ts')
  const child = Bun.spawn([process.execPath, main, config], { stdout: 'pipe' })
  const { value } = await child.stdout.getReader().read()
  const line = parseJson(Buffer.from(value ?? []).toString())
  const { url } = z.object({ url: z.url() }).parse(line)
  const put = await fetch(`${url}/grant/k1`, {
    method: 'PUT',
    body: '{"user_id":"ann","points":3}',
  })
  expect(await put.json()).toEqual({ key: 'k1', user_id: 'ann', points: 3 })
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
})
