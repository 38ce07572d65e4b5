import { z } from 'zod'

/** For a counting knob: every time until it is set to 0. */
export const ALWAYS = Number.MAX_SAFE_INTEGER

/** How many times something happens; `true` means always, `false` never. */
const count = z.union([
  z.int().min(0),
  z.boolean().transform((isOn): number => (isOn ? ALWAYS : 0)),
])

const knobsSchema = z.strictObject({
  /** Which key signs callbacks; `mixed` alternates, as during the migration (dossier 1.7). */
  callbackKey: z.enum(['public', 'certificate', 'mixed']),
  /** Wait before the first send of every event. */
  delayMs: z.int().min(0).max(600_000),
  /** The next n sends are lost on the way. */
  dropCallbacks: count,
  /** A lost send is not repeated either. */
  dropForever: z.boolean(),
  /** The first send of an event is made n times, acknowledged or not. */
  duplicate: z.int().min(1).max(1_000),
  duplicateOrder: z.enum(['parallel', 'sequence']),
  /** Holds events until n are waiting, then sends them last first. 0 and 1 hold nothing. */
  reorder: z.int().min(0).max(1_000),
  /** Added to the amount in the next event, fen. The signature is genuine. */
  wrongAmount: z.int(),
  /** The next n sends are signed with a key that nobody knows. */
  wrongKey: count,
  /** The next n sends are signature probes (dossier 1.9). */
  probe: count,
  /** The API takes requests and neither handles nor answers them until this is switched off. */
  silence: z.boolean(),
  /** The API handles the next n writing requests and never answers them. */
  silenceAfterCommit: count,
  /** The API handles the next n writing requests and answers 500. */
  failAfterCommit: count,
  unsignedAnswers: count,
  badlySignedAnswers: count,
  probeAnswers: count,
  status429: count,
  /** Queries report this `trade_state`; an empty text switches it off. */
  unknownTradeState: z.string().max(32),
  /** The buyer pays inside the prepay call, and its answer waits for the callback. */
  callbackBeforeAnswer: z.boolean(),
})

/** The fault panel. */
export type Knobs = z.output<typeof knobsSchema>
/** A change of some knobs. */
export type KnobsPatch = Partial<z.input<typeof knobsSchema>>

const QUIET: Knobs = {
  callbackKey: 'public',
  delayMs: 0,
  dropCallbacks: 0,
  dropForever: false,
  duplicate: 1,
  duplicateOrder: 'parallel',
  reorder: 0,
  wrongAmount: 0,
  wrongKey: 0,
  probe: 0,
  silence: false,
  silenceAfterCommit: 0,
  failAfterCommit: 0,
  unsignedAnswers: 0,
  badlySignedAnswers: 0,
  probeAnswers: 0,
  status429: 0,
  unknownTradeState: '',
  callbackBeforeAnswer: false,
}

/** The knobs that count down. */
export type CountingKnob =
  | 'dropCallbacks'
  | 'wrongKey'
  | 'probe'
  | 'silenceAfterCommit'
  | 'failAfterCommit'
  | 'unsignedAnswers'
  | 'badlySignedAnswers'
  | 'probeAnswers'
  | 'status429'

export class FaultPanel {
  #knobs: Knobs = QUIET
  readonly #listeners = new Set<() => void>()

  get(): Knobs {
    return this.#knobs
  }

  /** Changes the named knobs and leaves the others. Throws on a knob or value that does not exist. */
  set(patch: unknown): Knobs {
    const changes = z.record(z.string(), z.unknown()).parse(patch)
    this.#knobs = knobsSchema.parse({ ...this.#knobs, ...changes })
    for (const listener of [...this.#listeners]) listener()
    return this.#knobs
  }

  reset(): Knobs {
    return this.set(QUIET)
  }

  /** Uses a counting knob once; `true` means that the fault happens now. */
  take(knob: CountingKnob): boolean {
    const left = this.#knobs[knob]
    if (left === 0) return false
    if (left !== ALWAYS) this.#knobs = { ...this.#knobs, [knob]: left - 1 }
    return true
  }

  /** Uses up the wrong amount. */
  takeWrongAmount(): number {
    const delta = this.#knobs.wrongAmount
    this.#knobs = { ...this.#knobs, wrongAmount: 0 }
    return delta
  }

  /** Runs after every change of the panel until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when the API speaks again. `false`: the caller has hung up before. */
  whenSpeaking(signal: AbortSignal): Promise<boolean> {
    if (!this.#knobs.silence) return Promise.resolve(true)
    return new Promise((resolve) => {
      const done = (speaks: boolean): void => {
        stopListening()
        signal.removeEventListener('abort', hangUp)
        resolve(speaks)
      }
      const hangUp = (): void => done(false)
      const stopListening = this.onChange(() => {
        if (!this.#knobs.silence) done(true)
      })
      signal.addEventListener('abort', hangUp)
    })
  }
}
