import type { Logger } from 'pino'
import type { Registry } from '#channel/registry'
import type { ConfirmDeps } from '#db/payment/confirm-payment'
import type { Db } from '#db/database'
import type { SealKey } from '#db/seal'
import type { Clock } from '#domain/time'
import type { EventClient } from './event-client.ts'
import type { EventPool } from './event-pool.ts'
import type { QueryLimit } from './query-limit.ts'
import type { PointsClient } from './points-client.ts'
import type { Turns } from './turn.ts'

/** What the jobs work with. */
export interface WorkerDeps extends ConfirmDeps {
  readonly db: Db
  /** With time enough for a bill of millions of lines. */
  readonly billDb: Db
  readonly databaseUrl: string
  readonly clock: Clock
  readonly registry: Registry
  readonly sealKey: SealKey
  readonly points: PointsClient
  readonly queryLimit: QueryLimit
  readonly turns: Turns
  readonly events: EventClient
  readonly eventPool: EventPool
  /** A number in [0, 1): what keeps things that failed together from being tried together again. */
  readonly chance: () => number
  /** Where vendors reach the gateway, without a trailing slash: refunds name it, too. */
  readonly publicUrl: string
  readonly log: Logger
  /** Seconds that a waiting row is left alone after an attempt. */
  readonly retrySeconds: number
}

/** What the worker is started with. */
export interface WorkerOptions {
  readonly databaseUrl: string
  readonly sealKey: SealKey
  readonly pointsUrl: string
  /** Where vendors reach the gateway, without a trailing slash. */
  readonly publicUrl: string
  readonly localHosts: readonly string[]
  readonly clock: Clock
  readonly log: Logger
  readonly compensationSeconds: number
  /** Seconds that a waiting row is left alone before the sweeper feeds it again. */
  readonly retrySeconds: number
  readonly querySeconds: number
  readonly pollingSeconds: number
  /** When the sweeper runs; seconds come first. */
  readonly sweepPattern: string
  /** When vendors are asked for their current keys; every 12 hours unless given. */
  readonly keyRefreshPattern?: string
  /** When the next months of the transaction log are made; every day unless given. */
  readonly partitionPattern?: string
  /** When missing bills are looked for; every five minutes unless given. */
  readonly billPattern?: string
  /** When waiting bills are looked for; twice a minute unless given. */
  readonly billWakePattern?: string
  readonly requireDurable: boolean
}

/** The queue's own try again: throw means that the job comes back. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain'
}
