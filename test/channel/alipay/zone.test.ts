import { expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'

const child = fileURLToPath(new URL('zone-child.ts', import.meta.url))

test.each([
  ['UTC', 0],
  ['America/Los_Angeles', 480],
  ['Asia/Kathmandu', -345],
  ['Asia/Shanghai', -480],
])('alipay checklist 8: Beijing time in a process of %s', async (zone, offsetMinutes) => {
  const run = Bun.spawn([process.execPath, child], {
    env: { ...process.env, TZ: zone },
    stdout: 'pipe',
    stderr: 'inherit',
  })
  expect(await new Response(run.stdout).json()).toEqual({
    offsetMinutes,
    vector: '2020-09-20 02:03:18',
    timestamp: '2026-01-31 23:59:59',
    read: '2026-01-31T15:59:58.000Z',
  })
})
