import { z } from 'zod'

/** What goes wrong at the merchant's own system. */
export const MODES = [
  'ok',
  /** Answers with the status of the knobs. */
  'status',
  /** Takes the request and never answers. */
  'hang',
  /** Answers 302 to the location of the knobs. */
  'redirect',
  /** Answers 200 and a body without an end. */
  'endless',
  /** Cuts the connection without an answer. */
  'close',
  /** Answers 200 and cuts the connection in the middle of the body. */
  'close_in_body',
] as const

export type Mode = (typeof MODES)[number]

const LAST_STATUS = 599

const knobsSchema = z.strictObject({
  mode: z.enum(MODES),
  status: z.int().min(200).max(LAST_STATUS).default(500),
  location: z.string().default('/elsewhere'),
  /** How many requests the mode meets before it is `ok` again; all of them unless given. */
  times: z.int().min(1).exactOptional(),
  /** Only events of this type. */
  only: z.string().exactOptional(),
})

export type MerchantKnobs = z.output<typeof knobsSchema>
export type MerchantKnobsInput = z.input<typeof knobsSchema>

/** The fault panel of the merchant's system. */
export class MerchantPanel {
  #knobs: MerchantKnobs = knobsSchema.parse({ mode: 'ok' })
  #change = Promise.withResolvers<void>()

  get(): MerchantKnobs {
    return this.#knobs
  }

  /** Replaces all knobs and lets hanging requests go. Throws on a value that does not exist. */
  set(knobs: unknown): MerchantKnobs {
    this.#knobs = knobsSchema.parse(knobs)
    const waiting = this.#change
    this.#change = Promise.withResolvers()
    waiting.resolve()
    return this.#knobs
  }

  /** What meets an event of this type; uses it up once. */
  take(type: string | undefined): MerchantKnobs {
    const knobs = this.#knobs
    if (knobs.only !== undefined && knobs.only !== type) return { ...knobs, mode: 'ok' }
    if (knobs.times === undefined) return knobs
    const { times, ...rest } = knobs
    this.#knobs = times === 1 ? { ...rest, mode: 'ok' } : { ...rest, times: times - 1 }
    return knobs
  }

  /** Resolves with the next change of the panel. */
  untilChange(): Promise<void> {
    return this.#change.promise
  }
}
