import type { EndpointId } from '#domain/id'

const IN_FLIGHT_MAX = 64
const PER_ENDPOINT_MAX = 4

export interface EventPool {
  hasRoom(endpoint: EndpointId): boolean
  /** Runs beside the job that started it; what fails is told to `onError`. */
  run(endpoint: EndpointId, work: () => Promise<void>): void
  /** Resolves when nothing runs any more. */
  drain(): Promise<void>
}

/**
 * Keeps one endpoint that hangs from holding up the others: each has a few places, and jobs do not wait.
 *
 * What is lost with the process is found again by the sweeper, because the row says when it is due.
 */
export function createEventPool(onError: (error: unknown) => void): EventPool {
  const counts = new Map<EndpointId, number>()
  const running = new Set<Promise<void>>()

  function leave(endpoint: EndpointId): void {
    const left = (counts.get(endpoint) ?? 1) - 1
    if (left === 0) counts.delete(endpoint)
    else counts.set(endpoint, left)
  }

  return {
    hasRoom: (endpoint) =>
      running.size < IN_FLIGHT_MAX && (counts.get(endpoint) ?? 0) < PER_ENDPOINT_MAX,
    run(endpoint, work) {
      counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1)
      const task = work()
        .catch(onError)
        .finally(() => {
          leave(endpoint)
          running.delete(task)
        })
      running.add(task)
    },
    async drain() {
      await Promise.all(running)
    },
  }
}
