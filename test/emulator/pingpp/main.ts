import { z } from 'zod'

import { emulatorConfig, runEmulator } from '../core/process.ts'
import { webhookBody } from './control.ts'
import { startPingppEmulator } from './emulator.ts'

const text = z.string().min(1)

const configSchema = z.strictObject({
  ...emulatorConfig,
  accounts: z
    .array(
      z.strictObject({
        apps: z.array(text).min(1),
        liveKey: text,
        testKey: text,
        publicKeyPem: text.exactOptional(),
        acceptsUnsigned: z.boolean().exactOptional(),
      }),
    )
    .min(1),
  vendorKeys: z.strictObject({ publicKeyPem: text, privateKeyPem: text }).exactOptional(),
  webhooks: z.array(webhookBody).exactOptional(),
})

await runEmulator({
  variable: 'PINGPP_EMULATOR',
  schema: configSchema,
  start: (config) => startPingppEmulator({ ...config, clock: () => new Date() }),
  ready: ({ url, vendorKeys }) => ({ url, publicKeyPem: vendorKeys().publicKeyPem }),
})
