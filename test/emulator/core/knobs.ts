import { z } from 'zod'

/** For a counting knob: every time until it is set to 0. */
export const ALWAYS = Number.MAX_SAFE_INTEGER

/** How many times something happens; `true` means always, `false` never. Never, unless set. */
export const count = z
  .union([z.int().min(0), z.boolean().transform((isOn): number => (isOn ? ALWAYS : 0))])
  .default(0)

/** A switch that is off unless set. */
export const toggle = z.boolean().default(false)

/**
 * The knobs that every vendor has. A vendor adds its own:
 * `z.strictObject({ ...commonKnobs, probe: count })`; every knob needs a default, which is its quiet value.
 */
export const commonKnobs = {
  /** Wait before the first send of every event. */
  delayMs: z.int().min(0).max(600_000).default(0),
  /** The next n sends are lost on the way. */
  dropCallbacks: count,
  /** A lost send is not repeated either. */
  dropForever: toggle,
  /** The first send of an event is made n times, acknowledged or not. */
  duplicate: z.int().min(1).max(1_000).default(1),
  duplicateOrder: z.enum(['parallel', 'sequence']).default('parallel'),
  /** Holds events until n are waiting, then sends them last first. 0 and 1 hold nothing. */
  reorder: z.int().min(0).max(1_000).default(0),
  /** Added to the amount in the next event, fen. The signature is genuine. */
  wrongAmount: z.int().default(0),
  /** The next n sends are signed with a key that nobody knows. */
  wrongKey: count,
  /** The API takes requests and neither handles nor answers them until this is switched off. */
  silence: toggle,
  /** The API handles the next n writing requests and never answers them. */
  silenceAfterCommit: count,
  /** The API handles the next n writing requests and answers 500. */
  failAfterCommit: count,
  /** The next n requests are neither handled nor answered. */
  hangRequests: count,
  /** The next n requests are handled, and their answers end in the middle. */
  cutAnswers: count,
  /** The next n requests are not handled; a gateway in front answers 500 without a body. */
  status500: count,
  /** The next n requests are not handled; a proxy answers 200 with a page. */
  htmlAnswers: count,
  /** The API answers the next n requests without a signature. */
  unsignedAnswers: count,
  /** The API signs the next n answers with a key that nobody knows. */
  badlySignedAnswers: count,
  /** Queries report this state; an empty text switches it off. */
  unknownTradeState: z.string().max(32).default(''),
  /** The buyer pays inside the creating call, and its answer waits for the callback. */
  callbackBeforeAnswer: toggle,
} as const

/** What the core itself reads. */
export type CommonKnobs = z.output<z.ZodObject<typeof commonKnobs>>

type CountingIn<K> = { [Name in keyof K]: K[Name] extends number ? Name : never }[keyof K]

/** The knobs that count down. */
export type CountingKnob<K> = CountingIn<K> | CountingIn<CommonKnobs>

/** The fault panel of one vendor: all its knobs, and when they were turned. */
export class FaultPanel<K extends CommonKnobs> {
  readonly #schema: z.ZodType<K>
  #knobs: K
  readonly #listeners = new Set<() => void>()

  constructor(schema: z.ZodType<K>) {
    this.#schema = schema
    this.#knobs = schema.parse({})
  }

  get(): K {
    return this.#knobs
  }

  /** Changes the named knobs and leaves the others. Throws on a knob or value that does not exist. */
  set(patch: unknown): K {
    const changes = z.record(z.string(), z.unknown()).parse(patch)
    return this.#turn({ ...this.#knobs, ...changes })
  }

  /** Puts every knob to its quiet value. */
  reset(): K {
    return this.#turn({})
  }

  /** Uses a counting knob once; `true` means that the fault happens now. */
  take(knob: CountingKnob<K>): boolean {
    const left: unknown = this.#knobs[knob]
    if (typeof left !== 'number' || left === 0) return false
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

  #turn(knobs: unknown): K {
    this.#knobs = this.#schema.parse(knobs)
    for (const listener of [...this.#listeners]) listener()
    return this.#knobs
  }
}
