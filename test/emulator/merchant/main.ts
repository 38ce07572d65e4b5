import { z } from 'zod'

import { parseJson, readConfigText } from '../config.ts'
import { startMerchant } from './server.ts'

const configSchema = z.strictObject({
  port: z.int().min(0).max(65_535).exactOptional(),
  logPath: z.string().min(1).exactOptional(),
  secrets: z.array(z.string()).default([]),
})

const { secrets, ...config } = configSchema.parse(parseJson(readConfigText('MERCHANT')))
const merchant = await startMerchant({ ...config, clock: () => new Date() })
merchant.setSecrets(secrets)
process.stdout.write(`${JSON.stringify({ url: merchant.url })}\n`)

const stop = (): void => {
  void merchant.stop().then(() => process.exit(0))
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
