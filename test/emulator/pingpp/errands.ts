import { setTimeout as pause } from 'node:timers/promises'

/** Things that happen by themselves after a while. A failure of one is a bug and ends up at `idle`. */
export class Errands {
  readonly #stop = new AbortController()
  readonly #pending = new Set<Promise<void>>()

  after(ms: number, action: () => void): void {
    const errand = this.#run(ms, action)
    this.#pending.add(errand)
    void errand.finally(() => this.#pending.delete(errand))
  }

  /** Resolves when nothing is to be done any more. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.idle()
  }

  async #run(ms: number, action: () => void): Promise<void> {
    try {
      await pause(ms, undefined, { signal: this.#stop.signal })
    } catch {
      // Stopped while waiting: what was to come does not.
      return
    }
    action()
  }
}
