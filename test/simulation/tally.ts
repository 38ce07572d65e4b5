/** How often a command ran, and how often something came of it. */
export interface Count {
  ran: number
  hadEffect: number
}

export type Counts = Readonly<Record<string, Readonly<Count>>>

/** Counts commands over all runs: a run in which nothing happens proves nothing. */
export interface Tally {
  add(name: string, hadEffect: boolean): void
  counts(): Counts
}

export function createTally(): Tally {
  const counts: Record<string, Count> = {}
  return {
    add(name, hadEffect) {
      const count = (counts[name] ??= { ran: 0, hadEffect: 0 })
      count.ran += 1
      if (hadEffect) count.hadEffect += 1
    },
    counts: () => structuredClone(counts),
  }
}
