import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'

import { parseJson } from '../config.ts'
import { makePingppKeys } from './keys.ts'
import { APP } from './merchant.ts'

const firstLine = z.object({ url: z.url(), publicKeyPem: z.string() })

test('the process says its address when it is ready, and ends when asked', async () => {
  const { merchant, vendor } = await makePingppKeys()
  const { liveKey, testKey, publicKeyPem } = merchant
  const config = {
    vendorKeys: vendor,
    accounts: [{ apps: [APP], liveKey, testKey, publicKeyPem }],
    webhooks: [{ app: APP, livemode: true, url: 'http://127.0.0.1:9/callback' }],
  }
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts')], {
    env: { ...process.env, PINGPP_EMULATOR: JSON.stringify(config) },
    stdout: 'pipe',
  })
  const { value } = await child.stdout.getReader().read()
  const ready = firstLine.parse(parseJson(Buffer.from(value ?? []).toString()))
  expect(ready.publicKeyPem).toBe(vendor.publicKeyPem)
  const health = await fetch(`${ready.url}/_control/health`)
  expect(await health.json()).toEqual({ ok: true })
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
})
