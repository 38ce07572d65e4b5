import { setTimeout as pause } from 'node:timers/promises'

import type { AppendLog } from '../append-log.ts'
import type { CallbackAnswer, CallbackEvent, Courier, Parcel } from './courier.ts'
import type { Delivery, DeliveryOutcome } from './delivery-log.ts'
import type { CommonKnobs, FaultPanel } from './knobs.ts'

export interface DeskSettings<K extends CommonKnobs, Event extends CallbackEvent> {
  readonly panel: FaultPanel<K>
  readonly courier: Courier<Event>
  readonly log: AppendLog<Delivery>
  readonly now: () => Date
  /** Gaps before the re-sends of an event; their number is the number of re-sends. */
  readonly retryDelaysMs: (event: Event) => readonly number[]
  /** An answer after this is none. */
  readonly answerWithinMs: number
}

/** A delivery under way: `first` ends with the first send, `done` when the vendor gives up or is heard. */
export interface Campaign {
  readonly first: Promise<void>
  readonly done: Promise<void>
}

/** An event that waits for others to overtake it. */
interface HeldEvent {
  readonly release: (turn: Promise<void>) => void
  /** Its first send is over. */
  readonly sent: Promise<void>
}

const ANSWER_CHARACTERS_MAX = 64

/** Sends callbacks and repeats them on the vendor's schedule. */
export class DeliveryDesk<K extends CommonKnobs, Event extends CallbackEvent> {
  readonly #settings: DeskSettings<K, Event>
  readonly #stop = new AbortController()
  readonly #pending = new Set<Promise<void>>()
  readonly #lastEvents = new Map<string, Event>()
  #held: HeldEvent[] = []

  constructor(settings: DeskSettings<K, Event>) {
    this.#settings = settings
    settings.panel.onChange(() => {
      this.#releaseHeld()
    })
  }

  /** Starts to deliver an event; it goes on in the background. */
  start(event: Event): Campaign {
    this.#lastEvents.set(event.orderNumber, event)
    const sent = Promise.withResolvers<void>()
    const round = this.#turn(sent.promise).then(() => this.#firstRound(event))
    void round.finally(sent.resolve)
    const done = round.then((isHeard) => (isHeard ? undefined : this.#repeat(event)))
    this.#pending.add(done)
    void done.finally(() => this.#pending.delete(done))
    return { first: round.then(() => undefined), done }
  }

  /** Delivers the last event of an order again, acknowledged or not. `undefined`: there is none. */
  resend(orderNumber: string): Campaign | undefined {
    const event = this.#lastEvents.get(orderNumber)
    return event === undefined ? undefined : this.start(event)
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

  /** Posts one parcel once, whatever the panel says, and writes down what came back. */
  async send(event: Event, parcel: Parcel, attempt = 1): Promise<Delivery> {
    const startedMs = performance.now()
    const answer = await this.#post(event.url, parcel)
    const outcome = this.#judge(answer)
    const tookMs = Math.round(performance.now() - startedMs)
    const { kind, keySerial } = parcel
    return this.#write(event, { attempt, kind, keySerial, outcome, answer, tookMs })
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

  async #firstRound(event: Event): Promise<boolean> {
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

  async #repeat(event: Event): Promise<void> {
    let attempt = 1
    for (const delayMs of this.#settings.retryDelaysMs(event)) {
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
  #attempt(event: Event, attempt: number): Promise<Delivery> {
    const { panel, courier } = this.#settings
    if (panel.take('dropCallbacks')) return Promise.resolve(this.#drop(event, attempt))
    const style = panel.take('wrongKey') ? 'wrong_key' : 'genuine'
    return this.send(event, courier.pack(event, style), attempt)
  }

  async #post(url: string, { headers, body }: Parcel): Promise<CallbackAnswer | undefined> {
    const timeout = AbortSignal.timeout(this.#settings.answerWithinMs)
    const signal = AbortSignal.any([timeout, this.#stop.signal])
    try {
      const init = { method: 'POST', headers, body, redirect: 'manual', signal } as const
      const response = await fetch(url, init)
      const bytes = Buffer.from(await response.arrayBuffer())
      return { status: response.status, body: bytes.toString('utf8') }
    } catch {
      // Refused, cut or late: the vendor cannot tell these apart, and it repeats.
      return undefined
    }
  }

  #judge(answer: CallbackAnswer | undefined): DeliveryOutcome {
    if (answer === undefined) return 'unknown'
    return this.#settings.courier.isAcknowledged(answer) ? 'acknowledged' : 'refused'
  }

  #drop(event: Event, attempt: number): Delivery {
    const fate = { kind: 'genuine', keySerial: '', outcome: 'dropped', tookMs: 0 } as const
    return this.#write(event, { attempt, ...fate, answer: undefined })
  }

  #write(
    event: Event,
    entry: Pick<Delivery, 'attempt' | 'kind' | 'keySerial' | 'outcome' | 'tookMs'> & {
      readonly answer: CallbackAnswer | undefined
    },
  ): Delivery {
    const { answer, ...rest } = entry
    const delivery: Delivery = {
      deliveryId: crypto.randomUUID(),
      eventId: event.eventId,
      orderNumber: event.orderNumber,
      url: event.url,
      ...rest,
      status: answer?.status ?? null,
      answer: answer?.body.slice(0, ANSWER_CHARACTERS_MAX) ?? null,
      acknowledged: rest.outcome === 'acknowledged',
      at: this.#settings.now().toISOString(),
    }
    this.#settings.log.append(delivery)
    return delivery
  }

  async #wait(ms: number): Promise<void> {
    try {
      if (ms > 0) await pause(ms, undefined, { signal: this.#stop.signal })
    } catch {
      // Stopped while waiting: the caller looks at the signal.
    }
  }
}
