/** Counts callbacks by what became of them, since this process started. */
export interface CallbackCounter {
  add(channel: string, outcome: string): void
  list(): readonly { readonly channel: string; readonly outcome: string; readonly count: number }[]
}

export function createCallbackCounter(): CallbackCounter {
  const counts = new Map<string, { channel: string; outcome: string; count: number }>()
  return {
    add(channel, outcome) {
      const key = `${channel} ${outcome}`
      const known = counts.get(key) ?? { channel, outcome, count: 0 }
      counts.set(key, { ...known, count: known.count + 1 })
    },
    list: () => [...counts.values()],
  }
}
