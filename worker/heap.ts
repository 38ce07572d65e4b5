/** How the heap of this process is looked at and cleaned; another one in tests. */
export interface Heap {
  usedBytes(): number
  /** Collects all of it, and returns when that is done. */
  collect(): unknown
}

export const ownHeap: Heap = {
  usedBytes: () => process.memoryUsage().heapUsed,
  collect: () => Bun.gc(true),
}

const GROWTH_MAX = 1.5

/**
 * Keeps the heap from growing to three times of what is needed: to be called every few seconds.
 *
 * What a job holds while the young part of the heap is collected counts as old from then on, and the engine looks at
 * the old part only when it has tripled. A worker that drains a backlog has hundreds of rows in hand at any moment,
 * so nearly all of its old part is rubbish. A whole collection takes some 30 ms, in a process that no customer waits
 * for, and a worker at rest does none. Returns whether it collected.
 */
export function createHeapKeeper(heap: Heap): () => boolean {
  let floorBytes = 0
  return () => {
    if (heap.usedBytes() < floorBytes * GROWTH_MAX) return false
    heap.collect()
    floorBytes = heap.usedBytes()
    return true
  }
}
