import { z } from 'zod'

/** What goes wrong at the points system. */
export const MODES = [
  'ok',
  /** Takes the request, does nothing and never answers. */
  'hang',
  /** Applies it and never answers. */
  'commit_then_timeout',
  'commit_then_500',
  'error_500',
  /** 503 to everything. */
  'down',
  /** 200 and a page, as a proxy does; nothing applied. */
  'html',
  /** Applies it and claims one point more. */
  'wrong_amount',
  /** Applies it and names another user. */
  'wrong_user',
  /** 302; nothing applied. */
  'redirect',
  /** 200 and an error in the body; nothing applied. */
  'error_200',
  /** Calls every key a duplicate; nothing applied. */
  'claims_duplicate',
  /** Applies it and calls it a duplicate. */
  'commit_then_409',
  /** 429 with Retry-After; nothing applied. */
  'too_many',
  /** Not idempotent: applies it again each time. */
  'ignores_key',
] as const

export type Mode = (typeof MODES)[number]

const knobsSchema = z.strictObject({
  mode: z.enum(MODES),
  /** How many requests the mode meets before it is `ok` again; all of them unless given. */
  times: z.int().min(1).exactOptional(),
  /** What `too_many` asks for, as the header has it. */
  retryAfter: z.string().exactOptional(),
  /** Only requests of this kind. */
  only: z.enum(['grant', 'revoke']).exactOptional(),
})

export type PointsKnobs = z.infer<typeof knobsSchema>

/** The fault panel of the points service. */
export class PointsPanel {
  #knobs: PointsKnobs = { mode: 'ok' }
  #change = Promise.withResolvers<void>()

  get(): PointsKnobs {
    return this.#knobs
  }

  /** Replaces all knobs and lets hanging requests go. Throws on a value that does not exist. */
  set(knobs: unknown): PointsKnobs {
    this.#knobs = knobsSchema.parse(knobs)
    const waiting = this.#change
    this.#change = Promise.withResolvers()
    waiting.resolve()
    return this.#knobs
  }

  /** The mode that meets this request; uses it up once. */
  take(kind: 'grant' | 'revoke' | undefined): Mode {
    const { mode, times, only } = this.#knobs
    if (only !== undefined && only !== kind) return 'ok'
    if (times === undefined) return mode
    this.#knobs = times === 1 ? { mode: 'ok' } : { ...this.#knobs, times: times - 1 }
    return mode
  }

  /** Resolves with the next change of the panel, or when the caller hangs up. */
  async untilChange(signal: AbortSignal): Promise<void> {
    const hungUp = Promise.withResolvers<void>()
    if (signal.aborted) return
    signal.addEventListener('abort', () => hungUp.resolve())
    await Promise.race([this.#change.promise, hungUp.promise])
  }
}
