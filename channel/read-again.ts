import type { ChannelDeps } from './registry.ts'

/** Before the second try and each later one. Who had trouble a quarter of a minute ago is asked half an hour later. */
const PAUSES_MS = [1000, 5000, 15_000] as const
/** Of all pages of one fetch: a vendor that stumbles at each page is not pressed for hours. */
const REPEATS_MAX = 30

/**
 * Asks again for a page that failed in passing, so that the pages before it were not in vain.
 *
 * For reading alone: it changes nothing, so it may be repeated after any end, also after one that nobody heard.
 */
export class ReadAgain {
  readonly #pause: (ms: number) => Promise<void>
  #repeats = 0

  constructor({ pause }: Pick<ChannelDeps, 'pause'>) {
    this.#pause = pause ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)))
  }

  async ask<Answer>(
    read: () => Promise<Answer>,
    isPassing: (answer: Answer) => boolean,
  ): Promise<Answer> {
    let answer = await read()
    for (const pauseMs of PAUSES_MS) {
      if (!isPassing(answer) || this.#repeats >= REPEATS_MAX) break
      this.#repeats += 1
      await this.#pause(pauseMs)
      answer = await read()
    }
    return answer
  }
}
