import { setTimeout as pause } from 'node:timers/promises'

import type { AppendLog } from '../append-log.ts'
import type { Delivery, DeliveryKind, DeliveryOutcome } from '../delivery-log.ts'
import type { SignedCallback } from './callback.ts'
import { signCallback } from './callback.ts'
import type { VendorKeys } from './keys.ts'
import type { FaultPanel } from './knobs.ts'
import type { SerialMode, SignatureStyle } from './vendor-signature.ts'
import { serialOf } from './vendor-signature.ts'

/** One thing that happened and that the merchant is told until he acknowledges it. */
export interface CallbackEvent {
  readonly eventId: string
  readonly outTradeNo: string
  readonly url: string
  readonly eventType: string
  readonly plaintext: string
  readonly apiV3Key: string
  readonly createdAt: Date
}

export interface DeskSettings {
  readonly keys: VendorKeys
  readonly rogueKeyPem: string
  readonly panel: FaultPanel
  readonly log: AppendLog<Delivery>
  readonly now: () => Date
  /** Gaps before the re-sends; their number is the number of re-sends. */
  readonly retryDelaysMs: readonly number[]
  /** An answer after this is none. */
  readonly answerWithinMs: number
}

/** A delivery under way: `first` ends with the first send, `done` when the vendor gives up or is heard. */
export interface Campaign {
  readonly first: Promise<void>
  readonly done: Promise<void>
}

/** What is sent and how it is written down. */
export interface Parcel {
  readonly event: CallbackEvent
  readonly attempt: number
  readonly kind: DeliveryKind
  readonly keySerial: string
  readonly signed: SignedCallback
}

export interface ParcelStyle {
  readonly attempt: number
  readonly style: SignatureStyle
  readonly serialMode: SerialMode
  readonly ageMs?: number
}

/** An event that waits for others to overtake it. */
interface HeldEvent {
  readonly release: (turn: Promise<void>) => void
  /** Its first send is over. */
  readonly sent: Promise<void>
}

const ACKNOWLEDGING = new Set([200, 204])

/** Sends callbacks and repeats them on the vendor's schedule (dossier 4.5). */
export class DeliveryDesk {
  readonly #settings: DeskSettings
  readonly #stop = new AbortController()
  readonly #pending = new Set<Promise<void>>()
  #held: HeldEvent[] = []
  #sends = 0

  constructor(settings: DeskSettings) {
    this.#settings = settings
    settings.panel.onChange(() => {
      this.#releaseHeld()
    })
  }

  /** Starts to deliver an event; it goes on in the background. */
  start(event: CallbackEvent): Campaign {
    const sent = Promise.withResolvers<void>()
    const round = this.#turn(sent.promise).then(() => this.#firstRound(event))
    void round.finally(sent.resolve)
    const done = round.then((isHeard) => (isHeard ? undefined : this.#repeat(event)))
    this.#pending.add(done)
    void done.finally(() => this.#pending.delete(done))
    return { first: round.then(() => undefined), done }
  }

  /** Resolves when nothing is waiting to be sent or repeated. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  /** Ends every delivery; what was on its way is written down as `unknown`. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#releaseHeld(true)
    await this.idle()
  }

  /** Waits for the event's turn: its delay, and the others if the panel reorders. */
  async #turn(sent: Promise<void>): Promise<void> {
    const { panel } = this.#settings
    if (panel.get().reorder > 1) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#held.push({ release: resolve, sent })
      this.#releaseHeld()
      await promise
    }
    await this.#wait(panel.get().delayMs)
  }

  #releaseHeld(isForced = false): void {
    const { reorder } = this.#settings.panel.get()
    if (!isForced && reorder > 1 && this.#held.length < reorder) return
    const held = this.#held.reverse()
    this.#held = []
    // One after the other: the next may go when the first send of the one before it is over.
    let turn = Promise.resolve()
    for (const { release, sent } of held) {
      release(turn)
      turn = sent
    }
  }

  async #firstRound(event: CallbackEvent): Promise<boolean> {
    if (this.#stop.signal.aborted) return true
    const { duplicate, duplicateOrder } = this.#settings.panel.get()
    const deliveries: Delivery[] = []
    if (duplicateOrder === 'parallel') {
      const copies = Array.from({ length: duplicate }, () => this.#attempt(event, 1))
      deliveries.push(...(await Promise.all(copies)))
    } else {
      for (let copy = 0; copy < duplicate; copy += 1) deliveries.push(await this.#attempt(event, 1))
    }
    return deliveries.some((delivery) => this.#isOver(delivery))
  }

  async #repeat(event: CallbackEvent): Promise<void> {
    let attempt = 1
    for (const delayMs of this.#settings.retryDelaysMs) {
      await this.#wait(delayMs)
      attempt += 1
      if (this.#stop.signal.aborted) return
      if (this.#isOver(await this.#attempt(event, attempt))) return
    }
  }

  #isOver({ acknowledged, outcome }: Delivery): boolean {
    return acknowledged || (outcome === 'dropped' && this.#settings.panel.get().dropForever)
  }

  /** One send as the panel wants it, signed afresh. */
  #attempt(event: CallbackEvent, attempt: number): Promise<Delivery> {
    const { panel } = this.#settings
    if (panel.take('dropCallbacks')) return Promise.resolve(this.#drop(event, attempt))
    const style = this.#style()
    const serialMode = this.#nextSerialMode()
    return this.send(this.parcel(event, { attempt, style, serialMode }))
  }

  /** Seals and signs an event now, or as it would have been `ageMs` ago. */
  parcel(event: CallbackEvent, how: ParcelStyle): Parcel {
    const { keys, now } = this.#settings
    const { apiV3Key, plaintext, eventType, eventId: id, createdAt } = event
    const { serialMode, style, attempt } = how
    const base = { keys, apiV3Key, plaintext, eventType, id, createdAt, serialMode, style }
    const signed = signCallback({ ...base, now: new Date(now().getTime() - (how.ageMs ?? 0)) })
    return { event, attempt, kind: kindOf(style), keySerial: serialOf(keys, serialMode), signed }
  }

  /** Posts it and writes down what came back. */
  async send({ event, attempt, kind, keySerial, signed }: Parcel): Promise<Delivery> {
    const startedMs = performance.now()
    const status = await this.#post(event.url, signed)
    const acknowledged = status !== null && ACKNOWLEDGING.has(status)
    const outcome = status === null ? 'unknown' : acknowledged ? 'acknowledged' : 'refused'
    const tookMs = Math.round(performance.now() - startedMs)
    return this.#write({ event, attempt, kind, keySerial, outcome, status, tookMs })
  }

  async #post(url: string, { headers, body }: SignedCallback): Promise<number | null> {
    const timeout = AbortSignal.timeout(this.#settings.answerWithinMs)
    const signal = AbortSignal.any([timeout, this.#stop.signal])
    try {
      const init = { method: 'POST', headers, body, redirect: 'manual', signal } as const
      const response = await fetch(url, init)
      await response.arrayBuffer()
      return response.status
    } catch {
      // Refused, cut or late: the vendor cannot tell these apart, and it repeats.
      return null
    }
  }

  #drop(event: CallbackEvent, attempt: number): Delivery {
    const keySerial = serialOf(this.#settings.keys, this.#nextSerialMode())
    const fate = { kind: 'genuine', outcome: 'dropped', status: null, tookMs: 0 } as const
    return this.#write({ event, attempt, keySerial, ...fate })
  }

  #write(entry: {
    event: CallbackEvent
    attempt: number
    kind: DeliveryKind
    keySerial: string
    outcome: DeliveryOutcome
    status: number | null
    tookMs: number
  }): Delivery {
    const { event, ...rest } = entry
    const delivery: Delivery = {
      deliveryId: crypto.randomUUID(),
      eventId: event.eventId,
      outTradeNo: event.outTradeNo,
      url: event.url,
      ...rest,
      acknowledged: rest.outcome === 'acknowledged',
      at: this.#settings.now().toISOString(),
    }
    this.#settings.log.append(delivery)
    return delivery
  }

  #style(): SignatureStyle {
    const { panel, rogueKeyPem } = this.#settings
    if (panel.take('wrongKey')) return { kind: 'rogue_key', privateKeyPem: rogueKeyPem }
    if (panel.take('probe')) return { kind: 'probe' }
    return { kind: 'genuine' }
  }

  #nextSerialMode(): SerialMode {
    const { callbackKey } = this.#settings.panel.get()
    this.#sends += 1
    if (callbackKey !== 'mixed') return callbackKey
    return this.#sends % 2 === 1 ? 'public' : 'certificate'
  }

  async #wait(ms: number): Promise<void> {
    try {
      if (ms > 0) await pause(ms, undefined, { signal: this.#stop.signal })
    } catch {
      // Stopped while waiting: the caller looks at the signal.
    }
  }
}

function kindOf({ kind }: SignatureStyle): DeliveryKind {
  if (kind === 'genuine') return 'genuine'
  return kind === 'probe' || kind === 'full_probe' ? 'probe' : 'forged'
}
