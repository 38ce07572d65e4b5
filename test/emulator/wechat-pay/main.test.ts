import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { z } from 'zod'

import { parseJson } from '../config.ts'
import { makeWechatPayKeys } from './keys.ts'
import { APPID, MCHID } from './merchant.ts'

const firstLine = z.object({ url: z.url(), publicKeyId: z.string(), publicKeyPem: z.string() })

test('the process says its address when it is ready, and ends when asked', async () => {
  const keys = await makeWechatPayKeys()
  const config = {
    vendorKeys: keys.vendor,
    merchants: [
      {
        mchid: MCHID,
        appids: [APPID],
        merchantCertificateSerial: keys.merchant.certificateSerial,
        merchantPublicKeyPem: keys.merchant.publicKeyPem,
        apiV3Key: keys.merchant.apiV3Key,
      },
    ],
  }
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts')], {
    env: { ...process.env, WECHAT_PAY_EMULATOR: JSON.stringify(config) },
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
