import { appendFileSync } from 'node:fs'

interface Waiter<Entry> {
  readonly isMet: (entries: readonly Entry[]) => boolean
  readonly resolve: (entries: readonly Entry[]) => void
}

/** An append-only list that one can wait on, with a copy of every line in a file if a path is given. */
export class AppendLog<Entry> {
  readonly #entries: Entry[] = []
  readonly #waiters = new Set<Waiter<Entry>>()
  readonly #path: string | undefined

  constructor(path?: string) {
    this.#path = path
  }

  append(entry: Entry): void {
    this.#entries.push(entry)
    if (this.#path !== undefined) appendFileSync(this.#path, `${JSON.stringify(entry)}\n`)
    for (const waiter of this.#waiters) {
      if (!waiter.isMet(this.#entries)) continue
      this.#waiters.delete(waiter)
      waiter.resolve(this.list())
    }
  }

  list(): readonly Entry[] {
    return [...this.#entries]
  }

  /** Resolves as soon as the condition holds for the list, at once if it holds already. */
  waitFor(isMet: Waiter<Entry>['isMet']): Promise<readonly Entry[]> {
    if (isMet(this.#entries)) return Promise.resolve(this.list())
    return new Promise((resolve) => {
      this.#waiters.add({ isMet, resolve })
    })
  }
}
