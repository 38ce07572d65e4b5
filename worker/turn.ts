import type { QueueName } from '#domain/job'
import type { Clock } from '#domain/time'

/**
 * How far this worker has come in the queues that give rows their turn.
 *
 * A queue hands out first what was sent first, and ids sort by time: while it is behind, a row with a newer id
 * than it has come to waits in it or is in work, and whoever looks a second time leaves that row alone. An older
 * one has had its turn, or its job is lost. The jobs themselves say so: nobody looks into pg-boss's tables
 * (payment rules, section 7).
 */
export interface Turns {
  /** A batch has been taken. Call what is returned when the batch is done. */
  begin(queue: QueueName, jobs: readonly { readonly data: unknown }[], isFull: boolean): () => void
  /** The newest id that has surely had its turn; `undefined`: all have, or the queue stands still. */
  reached(queue: QueueName): string | undefined
  /** Whether this row is left to a job of its own that waits in the queue. */
  waits(queue: QueueName, id: string): boolean
}

interface Place {
  /** The newest ids of the last full batches, by the time when they were done. */
  readonly newest: readonly string[]
  /** The oldest id of a batch in work that has emptied the queue: nothing older waits. */
  readonly oldest?: string | undefined
  readonly isWorking: boolean
  readonly since: number
}

/** A batch that takes longer hangs: nobody waits for a queue that stands still. */
const HANGS_MS = 60_000
/** Full batches follow each other at once; where none follows, nothing is left. */
const PAUSE_MS = 5_000

/**
 * Batches that follow before a row counts as passed over: rows that are committed at the same time stand in
 * the queue in another order than their ids, and a few commits of 64 are under way at once.
 */
export const BATCHES_BEHIND = 4

/** What a job of these queues names: the rows whose turn it is. */
const ROWS_OF: Readonly<Partial<Record<QueueName, string>>> = {
  'order-status': 'notificationIds',
  'points-award': 'grantId',
  'merchant-event': 'deliveryId',
}

export function createTurns(clock: Clock): Turns {
  const places = new Map<QueueName, Place>()
  const note = (queue: QueueName, place: Omit<Place, 'since'>): void => {
    places.set(queue, { ...place, since: clock.now().getTime() })
  }
  const findPlace = (queue: QueueName): Place | undefined => {
    const place = places.get(queue)
    if (place === undefined) return undefined
    const ageMs = clock.now().getTime() - place.since
    return ageMs < (place.isWorking ? HANGS_MS : PAUSE_MS) ? place : undefined
  }
  const reached = (queue: QueueName): string | undefined => {
    const place = findPlace(queue)
    // Before so many batches are done nothing has been passed over.
    return place && (place.oldest ?? place.newest.at(-1 - BATCHES_BEHIND) ?? '')
  }
  return {
    begin(queue, jobs, isFull) {
      const ids = jobs.flatMap(({ data }) => rowsOf(queue, data)).toSorted()
      if (!isFull) {
        // All that is left is in work.
        if (ids.length > 0) note(queue, { newest: [], oldest: ids[0], isWorking: true })
        return () => places.delete(queue)
      }
      const newest = findPlace(queue)?.newest ?? []
      note(queue, { newest, isWorking: true })
      const last = [newest.at(-1) ?? '', ids.at(-1) ?? ''].toSorted().at(-1) ?? ''
      const after = [...newest, last].slice(-1 - BATCHES_BEHIND)
      return () => note(queue, { newest: after, isWorking: false })
    },
    reached,
    waits(queue, id) {
      const newest = reached(queue)
      return newest !== undefined && id > newest
    },
  }
}

/** What a job says is not checked by its type: one that nobody of ours has sent may say anything. */
function rowsOf(queue: QueueName, data: unknown): readonly string[] {
  const name = ROWS_OF[queue]
  if (name === undefined || typeof data !== 'object' || data === null) return []
  const named: unknown = Object.entries(data).find(([key]) => key === name)?.[1]
  return [named].flat().filter((id) => typeof id === 'string')
}
