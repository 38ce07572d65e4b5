import pino from 'pino'
import { z } from 'zod'
import { systemClock } from '#domain/time'
import { startWorker } from '#worker/start'
import { testSealKey } from '../support/platform.ts'
import { answer, readArgument } from './child.ts'
import { watchMemory } from './memory.ts'

// The worker as a process of its own, with the pace that it has in production.

const { databaseUrl, pointsUrl, localHosts } = readArgument(
  z.object({
    databaseUrl: z.string(),
    pointsUrl: z.string(),
    localHosts: z.array(z.string()).default([]),
  }),
)

const SECONDS = 60

const memory = watchMemory()
answer({ started: true })
const worker = await startWorker({
  databaseUrl,
  sealKey: testSealKey(),
  pointsUrl,
  publicUrl: 'http://127.0.0.1',
  localHosts: [...localHosts, new URL(pointsUrl).host],
  clock: systemClock,
  log: pino({ level: 'warn' }, pino.destination(2)),
  compensationSeconds: SECONDS,
  retrySeconds: SECONDS,
  querySeconds: SECONDS,
  pollingSeconds: 0.5,
  sweepPattern: '0 * * * * *',
  requireDurable: true,
})
answer({ ready: true })
await Bun.stdin.text()
answer({ rss_mb: memory.peakMb() })
await worker.stop()
process.exit(0)
