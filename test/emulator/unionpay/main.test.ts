import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'

import { parseJson } from '../config.ts'
import { makeUnionpayKeys } from './keys.ts'
import { MER_ID } from './merchant.ts'

const firstLine = z.object({
  url: z.url(),
  rootCertificatePem: z.string(),
  intermediateCertificatePem: z.string(),
})

test('the process says its address when it is ready, and ends when asked', async () => {
  const keys = await makeUnionpayKeys()
  const config = {
    vendorKeys: keys.vendor,
    merchants: [{ merId: MER_ID, certificatesPem: [keys.merchant.certificatePem] }],
  }
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts')], {
    env: { ...process.env, UNIONPAY_EMULATOR: JSON.stringify(config) },
    stdout: 'pipe',
  })
  const { value } = await child.stdout.getReader().read()
  const ready = firstLine.parse(parseJson(Buffer.from(value ?? []).toString()))
  expect(ready.rootCertificatePem).toBe(keys.vendor.root.certificatePem)
  const health = await fetch(`${ready.url}/_control/health`)
  expect(await health.json()).toEqual({ ok: true })
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
})
