import type { DeliveryId, EndpointId } from '#domain/id'

const RUNNING_MAX = 256
const PLACES = 4
/** Whether an address that fails is well again is found out by one call at a time. */
const PLACES_FAILING = 1
const WAITING_MAX = 1000

export interface EventWork {
  readonly endpoint: EndpointId
  readonly isFailing: boolean
  readonly delivery: DeliveryId
  readonly run: () => Promise<void>
}

export interface EventPool {
  /** Runs beside the job that brings it, now or when its endpoint has a place. A twin that waits is enough. */
  add(work: EventWork): void
  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void>
  /** Forgets what waits, takes no more, and resolves when nothing runs. */
  drain(): Promise<void>
}

interface Line {
  running: number
  readonly waiting: Map<DeliveryId, EventWork>
}

/**
 * Keeps one endpoint that hangs from holding up the others: each has a few places and a line of its own, and
 * free places go round the lines.
 *
 * What is lost with the process, or finds its line full, is found again by the sweeper: the row says when it
 * is due, and it is not taken before its turn.
 */
export function createEventPool(onError: (error: unknown) => void): EventPool {
  const lines = new Map<EndpointId, Line>()
  const running = new Set<Promise<void>>()
  let isClosed = false

  function fill(): void {
    for (const [endpoint, line] of lines) {
      if (running.size >= RUNNING_MAX) return
      const work = nextOf(line)
      if (work === undefined) continue
      // Behind the others, so that the next free place is another's.
      lines.delete(endpoint)
      lines.set(endpoint, line)
      start(line, work)
    }
  }

  function start(line: Line, work: EventWork): void {
    line.waiting.delete(work.delivery)
    line.running += 1
    const task = work
      .run()
      .catch(onError)
      .finally(() => {
        running.delete(task)
        line.running -= 1
        if (line.running === 0 && line.waiting.size === 0) lines.delete(work.endpoint)
        fill()
      })
    running.add(task)
  }

  async function idle(): Promise<void> {
    while (running.size > 0) await Promise.race(running)
  }

  return {
    add(work) {
      if (isClosed) return
      const line = lines.get(work.endpoint) ?? { running: 0, waiting: new Map() }
      lines.set(work.endpoint, line)
      if (line.waiting.size < WAITING_MAX) line.waiting.set(work.delivery, work)
      fill()
    },
    idle,
    async drain() {
      isClosed = true
      for (const line of lines.values()) line.waiting.clear()
      await idle()
    },
  }
}

function nextOf(line: Line): EventWork | undefined {
  const [work] = line.waiting.values()
  if (work === undefined) return undefined
  return line.running < (work.isFailing ? PLACES_FAILING : PLACES) ? work : undefined
}
