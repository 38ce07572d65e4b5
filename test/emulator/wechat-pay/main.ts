import { z } from 'zod'

import { parseJson, readConfigText } from '../config.ts'
import { startWechatPayEmulator } from './emulator.ts'

const text = z.string().min(1)

const configSchema = z.strictObject({
  port: z.int().min(0).max(65_535).exactOptional(),
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
  retryDelaysMs: z.array(z.number().min(0)).exactOptional(),
  timeScale: z.number().positive().exactOptional(),
  answerWithinMs: z.int().min(1).exactOptional(),
  deliveryLogPath: text.exactOptional(),
  hasPlatformCertificate: z.boolean().exactOptional(),
})

const config = configSchema.parse(parseJson(readConfigText('WECHAT_PAY_EMULATOR')))
const emulator = await startWechatPayEmulator({ ...config, clock: () => new Date() })

const { publicKeyId, publicKeyPem, certificateSerial, certificatePem } = emulator.vendorKeys
process.stdout.write(
  `${JSON.stringify({ url: emulator.url, publicKeyId, publicKeyPem, certificateSerial, certificatePem })}\n`,
)

const stop = (): void => {
  void emulator.stop().then(() => process.exit(0))
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
