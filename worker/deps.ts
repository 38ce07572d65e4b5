import type { Logger } from 'pino'
import type { Registry } from '#channel/registry'
import type { ConfirmDeps } from '#db/confirm-payment'
import type { Db } from '#db/database'
import type { SealKey } from '#db/seal'
import type { Clock } from '#domain/time'
import type { QueryLimit } from './query-limit.ts'
import type { PointsClient } from './points-client.ts'

/** What the jobs work with. */
export interface WorkerDeps extends ConfirmDeps {
  readonly db: Db
  readonly clock: Clock
  readonly registry: Registry
  readonly sealKey: SealKey
  readonly points: PointsClient
  readonly queryLimit: QueryLimit
  /** Where vendors reach the gateway, without a trailing slash: refunds name it, too. */
  readonly publicUrl: string
  readonly log: Logger
  /** Seconds that a waiting row is left alone after an attempt. */
  readonly retrySeconds: number
}

/** The queue's own try again: throw means that the job comes back. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain'
}
