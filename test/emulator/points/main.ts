import { z } from 'zod'

import { parseJson, readConfigText } from '../config.ts'
import { startPointsService } from './server.ts'

const configSchema = z.strictObject({
  databasePath: z.string().min(1),
  port: z.int().min(0).max(65_535).exactOptional(),
})

const config = configSchema.parse(parseJson(readConfigText('POINTS_SERVICE')))
const service = startPointsService({ ...config, clock: () => new Date() })
process.stdout.write(`${JSON.stringify({ url: service.url })}\n`)

const stop = (): void => {
  void service.stop().then(() => process.exit(0))
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
