import { StoreUnavailable } from '#channel/callback'
import type { Arrival } from '#db/notification/notification'
import { hit } from '#failpoint'

/** Commits a batch; resolves only when every row of it is durable. */
export type CommitBatch = (batch: readonly Arrival[]) => Promise<void>

export interface IntakeOptions {
  /** Callbacks of one commit at most. */
  readonly batchMax: number
  /** Callbacks that may wait; more are refused, and the vendor repeats. */
  readonly waitingMax: number
  /** Commits under way at once. */
  readonly commitsMax: number
  /** Milliseconds after which a callback gives up waiting for its commit. */
  readonly timeoutMs: number
}

export const defaultIntake: IntakeOptions = {
  batchMax: 64,
  waitingMax: 2000,
  commitsMax: 3,
  timeoutMs: 2800,
}

interface Waiting {
  readonly arrival: Arrival
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export interface Intake {
  /** Resolves after the commit that holds this arrival; rejects with `StoreUnavailable`. */
  store(arrival: Arrival): Promise<void>
}

/**
 * Gathers callbacks that arrive together into one commit.
 *
 * Nothing waits for company: a callback that finds a free commit goes at once, and those that come while
 * all commits are busy share the next. A batch that fails is stored row by row, so that one bad row never
 * fails its neighbours.
 */
export function createIntake(commit: CommitBatch, options: IntakeOptions): Intake {
  const waiting: Waiting[] = []
  let running = 0

  function store(arrival: Arrival): Promise<void> {
    hit('callback.enqueue:before')
    if (waiting.length >= options.waitingMax) {
      return Promise.reject(new StoreUnavailable(`${options.waitingMax} callbacks wait already`))
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(
      () => reject(new StoreUnavailable(`no commit within ${options.timeoutMs} ms`)),
      options.timeoutMs,
    )
    waiting.push({ arrival, resolve, reject })
    // Deferred by one turn of the loop, so that requests of the same turn share the commit.
    setImmediate(start)
    hit('callback.enqueue:after')
    return promise.finally(() => clearTimeout(timer))
  }

  function start(): void {
    while (running < options.commitsMax && waiting.length > 0) {
      const batch = waiting.splice(0, options.batchMax)
      running += 1
      void run(batch).finally(() => {
        running -= 1
        start()
      })
    }
  }

  async function run(batch: readonly Waiting[]): Promise<void> {
    try {
      await commit(batch.map((item) => item.arrival))
      for (const item of batch) item.resolve()
    } catch (error) {
      await storeApart(commit, batch, error)
    }
  }

  return { store }
}

async function storeApart(
  commit: CommitBatch,
  batch: readonly Waiting[],
  error: unknown,
): Promise<void> {
  if (batch.length === 1 || !isRowsFault(error)) {
    const unavailable = new StoreUnavailable('the commit failed', { cause: error })
    for (const item of batch) item.reject(unavailable)
    return
  }
  for (const item of batch) {
    try {
      hit('callback.apart:before')
      await commit([item.arrival])
      hit('callback.apart:after')
      item.resolve()
    } catch (cause) {
      item.reject(new StoreUnavailable('the commit failed', { cause }))
    }
  }
}

/** SQLSTATE classes 22 and 23: the data of a row is at fault, not the database. */
function isRowsFault(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code.startsWith('22') || code.startsWith('23')
}
