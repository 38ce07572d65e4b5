import pino from 'pino'
import { z } from 'zod'
import { storeNotifications } from '#db/notification/notification'
import { systemClock } from '#domain/time'
import { startGateway } from '#gateway/start'
import type { GatewayOptions } from '#gateway/start'
import { testSealKey } from '../support/platform.ts'
import { answer, readArgument } from './child.ts'

// The gateway as a process of its own, with one of three ways to commit.

type CommitWith = NonNullable<GatewayOptions['commitWith']>

/** Answers as if everything had been stored: what HTTP and the signature cost alone. */
const verifyOnly: CommitWith = () => () => Promise.resolve()

/** The plain way: every callback in a transaction of its own, as many at once as the pool has. */
const oneByOne: CommitWith = (db, jobs, options) => async (batch) => {
  await Promise.all(batch.map((arrival) => storeNotifications(db, jobs, [arrival], options)))
}

const ways = {
  stored: {},
  verify_only: { commitWith: verifyOnly },
  one_by_one: { commitWith: oneByOne },
}

const COMPENSATION_SECONDS = 60
const MEBIBYTE = 1024 * 1024

const { mode, databaseUrl, now, localHosts } = readArgument(
  z.object({
    mode: z.enum(['stored', 'verify_only', 'one_by_one']),
    databaseUrl: z.string(),
    /** The moment at which its clock stands. */
    now: z.coerce.date().optional(),
    localHosts: z.array(z.string()),
  }),
)

const gateway = await startGateway({
  databaseUrl,
  sealKey: testSealKey(),
  publicUrl: 'http://127.0.0.1',
  hostname: '127.0.0.1',
  port: 0,
  localHosts,
  compensationSeconds: COMPENSATION_SECONDS,
  // The callbacks were signed then, and a callback may be five minutes old.
  clock: now === undefined ? systemClock : { now: () => now },
  log: pino({ level: 'error' }, pino.destination(2)),
  requireDurable: true,
  ...ways[mode],
})
answer({ url: gateway.url })
await Bun.stdin.text()
answer({ rss_mb: Math.round(process.memoryUsage.rss() / MEBIBYTE) })
await gateway.stop()
process.exit(0)
