import type { Logger } from 'pino'
import type { Db } from '#db/database'
import type { Jobs } from '#db/job'
import type { SealKey } from '#db/seal'
import type { Clock } from '#domain/time'
import type { AccountCache } from './account-cache.ts'
import type { CallbackCounter } from './counter.ts'
import type { Intake } from './intake.ts'
import type { RefreshKeys } from './key-refresh.ts'

/** What the routes work with. */
export interface GatewayDeps {
  readonly db: Db
  readonly jobs: Jobs
  readonly clock: Clock
  /** `host:port` that merchants' events may go to by plain http; empty in production. */
  readonly localHosts: readonly string[]
  readonly sealKey: SealKey
  readonly accounts: AccountCache
  readonly intake: Intake
  readonly callbacks: CallbackCounter
  readonly refreshKeys: RefreshKeys
  readonly log: Logger
  /** Where vendors and customers reach this gateway, without a trailing slash. */
  readonly publicUrl: string
}

/** What every request carries on its way. */
export interface GatewayEnv {
  readonly Variables: {
    readonly requestId: string
    /** Who asks, at the listener for operators. */
    readonly operator?: string
  }
}
