import { readFileSync } from 'node:fs'
import pino from 'pino'
import { addMs } from '#domain/time'
import { startWorker } from '#worker/start'
import { testSealKey } from '../support/platform.ts'

// A whole worker whose clock a test moves: milliseconds ahead stand in the file AHEAD. With DATABASE_URL, POINTS_URL,
// PUBLIC_URL and LOCAL_HOSTS; under `--conditions=test` it can be killed at a failpoint.

const NEVER = '0 0 0 29 2 *'
const of = (name: string): string => process.env[name] ?? ''
const ahead = of('AHEAD')

await startWorker({
  databaseUrl: of('DATABASE_URL'),
  sealKey: testSealKey(),
  pointsUrl: of('POINTS_URL'),
  publicUrl: of('PUBLIC_URL'),
  localHosts: of('LOCAL_HOSTS').split(','),
  clock: { now: () => addMs(new Date(), Number(readFileSync(ahead, 'utf8'))) },
  log: pino({ level: 'warn' }),
  compensationSeconds: 3600,
  retrySeconds: 3600,
  querySeconds: 3600,
  pollingSeconds: 0.5,
  sweepPattern: NEVER,
  keyRefreshPattern: NEVER,
  // Its start finds what is missing; after that only what waits is woken, as often as the deployed one does.
  billPattern: NEVER,
  requireDurable: false,
})
