import { z } from 'zod'

import { emulatorConfig, runEmulator } from '../core/process.ts'
import { startUnionpayEmulator } from './emulator.ts'

const text = z.string().min(1)
const key = z.strictObject({ certificatePem: text, privatePem: text })

const configSchema = z.strictObject({
  ...emulatorConfig,
  merchants: z
    .array(z.strictObject({ merId: z.string().length(15), certificatesPem: z.array(text).min(1) }))
    .min(1),
  vendorKeys: z
    .strictObject({
      root: key,
      intermediate: key,
      signing: key,
      bad: z.strictObject({
        expired: key,
        not_yet_valid: key,
        wrong_cn: key,
        test_cn: key,
        foreign_ca: key,
      }),
    })
    .exactOptional(),
})

await runEmulator({
  variable: 'UNIONPAY_EMULATOR',
  schema: configSchema,
  start: (config) => startUnionpayEmulator({ ...config, clock: () => new Date() }),
  ready: ({ url, vendorKeys }) => ({
    url,
    rootCertificatePem: vendorKeys.root.certificatePem,
    intermediateCertificatePem: vendorKeys.intermediate.certificatePem,
    signingCertificatePem: vendorKeys.signing.certificatePem,
  }),
})
