import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'

import { parseJson } from '../config.ts'
import { makeAlipayKeys } from './keys.ts'
import { appsOf } from './merchant.ts'

const firstLine = z.object({
  url: z.url(),
  gatewayUrl: z.url(),
  publicKeyPem: z.string(),
  certificatePem: z.string(),
  rootPem: z.string(),
})

test('the process says its address when it is ready, and ends when asked', async () => {
  const keys = await makeAlipayKeys()
  const config = { vendorKeys: keys.vendor, apps: appsOf(keys) }
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts')], {
    env: { ...process.env, ALIPAY_EMULATOR: JSON.stringify(config) },
    stdout: 'pipe',
  })
  const { value } = await child.stdout.getReader().read()
  const ready = firstLine.parse(parseJson(Buffer.from(value ?? []).toString()))
  expect(ready.publicKeyPem).toBe(keys.vendor.publicKeyPem)
  const health = await fetch(`${ready.url}/_control/health`)
  expect(await health.json()).toEqual({ ok: true })
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
})
