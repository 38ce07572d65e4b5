import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'

import { parseJson } from '../config.ts'

test('the process says its address when it is ready, and ends when asked', async () => {
  const main = join(import.meta.dir, 'main.ts')
  const child = Bun.spawn([process.execPath, main, '{"secrets":["whsec_c2VjcmV0"]}'], {
    stdout: 'pipe',
  })
  const { value } = await child.stdout.getReader().read()
  const line = parseJson(Buffer.from(value ?? []).toString())
  const { url } = z.object({ url: z.url() }).parse(line)
  expect((await fetch(url, { method: 'POST', body: '{"type":"test"}' })).status).toBe(204)
  const log = await (await fetch(new URL('/_control/events', url))).json()
  expect(log).toMatchObject({ arrivals: [{ type: 'test', judgement: 'headers' }], accepted: 0 })
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
})
