import { z } from 'zod'

import { emulatorConfig, runEmulator } from '../core/process.ts'
import { startWechatPayEmulator } from './emulator.ts'

const text = z.string().min(1)

const configSchema = z.strictObject({
  ...emulatorConfig,
  merchants: z
    .array(
      z.strictObject({
        mchid: text,
        appids: z.array(text),
        merchantCertificateSerial: text,
        merchantPublicKeyPem: text,
        apiV3Key: z.string().length(32),
      }),
    )
    .min(1),
  vendorKeys: z
    .strictObject({
      publicKeyId: text,
      publicKeyPem: text,
      publicKeyPrivatePem: text,
      certificateSerial: text,
      certificatePem: text,
      certificatePrivatePem: text,
    })
    .exactOptional(),
  hasPlatformCertificate: z.boolean().exactOptional(),
})

await runEmulator({
  variable: 'WECHAT_PAY_EMULATOR',
  schema: configSchema,
  start: (config) => startWechatPayEmulator({ ...config, clock: () => new Date() }),
  ready: ({ url, vendorKeys }) => {
    const { publicKeyId, publicKeyPem, certificateSerial, certificatePem } = vendorKeys
    return { url, publicKeyId, publicKeyPem, certificateSerial, certificatePem }
  },
})
