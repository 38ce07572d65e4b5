import { z } from 'zod'

import { emulatorConfig, runEmulator } from '../core/process.ts'
import { startAlipayEmulator } from './emulator.ts'

const text = z.string().min(1)

const configSchema = z.strictObject({
  ...emulatorConfig,
  apps: z
    .array(
      z.strictObject({
        appId: text,
        sellerId: text,
        appPublicKeyPem: text,
        certificate: z.strictObject({ appCertificatePem: text, rootPem: text }).exactOptional(),
        usesUserId: z.boolean().exactOptional(),
      }),
    )
    .min(1),
  vendorKeys: z
    .strictObject({
      publicKeyPem: text,
      privateKeyPem: text,
      certificate: z.strictObject({ certificatePem: text, number: text, privatePem: text }),
      rootPem: text,
      rootNumber: text,
      authority: z.strictObject({ certificatePem: text, privatePem: text }),
    })
    .exactOptional(),
  clockSkewMsMax: z.int().min(0).exactOptional(),
})

await runEmulator({
  variable: 'ALIPAY_EMULATOR',
  schema: configSchema,
  start: (config) => startAlipayEmulator({ ...config, clock: () => new Date() }),
  ready: ({ url, gatewayUrl, vendorKeys }) => {
    const { publicKeyPem, certificate, rootPem } = vendorKeys()
    const { certificatePem, number } = certificate
    return { url, gatewayUrl, publicKeyPem, certificatePem, certificateNumber: number, rootPem }
  },
})
