import type { QueueName } from '#domain/job'
import type { Clock } from '#domain/time'

/**
 * How far this worker has come in the queues that give rows their turn.
 *
 * A queue hands out first what was sent first, and ids sort by time: while it is behind, a row with a newer id
 * than it has come to waits in it, and whoever looks a second time leaves that row alone. An older one has had
 * its turn, or its job is lost. The jobs themselves say so: nobody looks into pg-boss's tables
 * (payment rules, section 7).
 */
export interface Turns {
  /** A batch has been taken. Call what is returned when the batch is done. */
  begin(queue: QueueName, jobs: readonly { readonly data: unknown }[], isFull: boolean): () => void
  /** The newest id that has had its turn; `undefined`: the queue is not behind, or stands still. */
  reached(queue: QueueName): string | undefined
  /** Whether this row is left to a job of its own that waits in the queue. */
  waits(queue: QueueName, id: string): boolean
}

interface Place {
  /** Empty before the first batch is done: all that waits is newer. */
  readonly newest: string
  readonly isWorking: boolean
  readonly since: number
}

/** A batch that takes longer hangs: nobody waits for a queue that stands still. */
const HANGS_MS = 60_000
/** Full batches follow each other at once; where none follows, nothing is left. */
const PAUSE_MS = 5_000

/** What a job of these queues names: the rows whose turn it is. */
const ROWS_OF: Readonly<Partial<Record<QueueName, string>>> = {
  'order-status': 'notificationIds',
  'points-award': 'grantId',
  'merchant-event': 'deliveryId',
}

export function createTurns(clock: Clock): Turns {
  const places = new Map<QueueName, Place>()
  const note = (queue: QueueName, newest: string, isWorking: boolean): void => {
    places.set(queue, { newest, isWorking, since: clock.now().getTime() })
  }
  const reached = (queue: QueueName): string | undefined => {
    const place = places.get(queue)
    if (place === undefined) return undefined
    const ageMs = clock.now().getTime() - place.since
    return ageMs < (place.isWorking ? HANGS_MS : PAUSE_MS) ? place.newest : undefined
  }
  return {
    begin(queue, jobs, isFull) {
      if (!isFull) {
        places.delete(queue)
        return () => undefined
      }
      const before = reached(queue) ?? ''
      note(queue, before, true)
      return () => note(queue, newestOf(queue, jobs, before), false)
    },
    reached,
    waits(queue, id) {
      const newest = reached(queue)
      return newest !== undefined && id > newest
    },
  }
}

function newestOf(
  queue: QueueName,
  jobs: readonly { readonly data: unknown }[],
  before: string,
): string {
  const ids = jobs.flatMap(({ data }) => rowsOf(queue, data))
  return ids.reduce((newest, id) => (id > newest ? id : newest), before)
}

/** What a job says is not checked by its type: one that nobody of ours has sent may say anything. */
function rowsOf(queue: QueueName, data: unknown): readonly string[] {
  const name = ROWS_OF[queue]
  if (name === undefined || typeof data !== 'object' || data === null) return []
  const named: unknown = Object.entries(data).find(([key]) => key === name)?.[1]
  return [named].flat().filter((id) => typeof id === 'string')
}
