import { z } from 'zod'

import { AppendLog } from '../append-log.ts'
import type { ControlActions } from './control.ts'
import { controlFound, controlMissing } from './control.ts'
import type { CallbackEvent, Courier } from './courier.ts'
import { DeliveryDesk } from './delivery-desk.ts'
import type { Delivery } from './delivery-log.ts'
import type { CommonKnobs, FaultPanel } from './knobs.ts'
import type { RequestEntry, VendorHttp } from './server.ts'
import { serve } from './server.ts'

/** What every emulator may be told at start. */
export interface EmulatorOptions {
  /** A free port unless given. */
  readonly port?: number
  readonly clock?: () => Date
  /** Gaps before the re-sends. Without it, the vendor's schedule times `timeScale`. */
  readonly retryDelaysMs?: readonly number[]
  /** 1 is the vendor's pace; 0.001 unless given: seconds become milliseconds. */
  readonly timeScale?: number
  /** How long the vendor waits for an acknowledgement. */
  readonly answerWithinMs?: number
  /** Every line of the delivery log is appended to this file as JSON. */
  readonly deliveryLogPath?: string
}

/** A vendor under test's thumb. Everything but `stop` is also under `/_control` on the same port. */
export interface Emulator<K extends CommonKnobs, Patch> {
  readonly url: string
  setKnobs(patch: Patch): K
  resetKnobs(): K
  /** Delivers the last event of an order again and waits for the first send. Throws if there is none. */
  resend(orderNumber: string): Promise<void>
  deliveries(): readonly Delivery[]
  /** The sends about one order, by the merchant's own number. */
  deliveriesFor(orderNumber: string): readonly Delivery[]
  /** Resolves as soon as the condition holds for the delivery log. */
  waitForDeliveries(
    isMet: (deliveries: readonly Delivery[]) => boolean,
  ): Promise<readonly Delivery[]>
  requests(): readonly RequestEntry[]
  waitForRequests(
    isMet: (requests: readonly RequestEntry[]) => boolean,
  ): Promise<readonly RequestEntry[]>
  /** Resolves when no callback is on its way or due to be repeated. */
  idle(): Promise<void>
  stop(): Promise<void>
}

export interface CoreSettings<K extends CommonKnobs, Event extends CallbackEvent> {
  readonly options: EmulatorOptions
  readonly panel: FaultPanel<K>
  readonly courier: Courier<Event>
  /** The vendor's usual gaps before the re-sends; `retryDelaysMs` of the options wins. */
  readonly retrySeconds: readonly number[]
  /** The vendor's patience; the options win. */
  readonly answerWithinMs: number
}

const TIME_SCALE = 0.001
const MS_PER_SECOND = 1000

const resendBody = z.strictObject({ orderNumber: z.string().min(1) })

/** What all emulators share: the panel, the delivery desk, the logs and the HTTP server. */
export class EmulatorCore<K extends CommonKnobs, Event extends CallbackEvent> {
  readonly panel: FaultPanel<K>
  readonly desk: DeliveryDesk<K, Event>
  readonly deliveries: AppendLog<Delivery>
  readonly requests = new AppendLog<RequestEntry>()
  readonly now: () => Date
  readonly #port: number

  constructor({ options, panel, courier, ...vendor }: CoreSettings<K, Event>) {
    this.panel = panel
    this.now = options.clock ?? (() => new Date())
    this.deliveries = new AppendLog(options.deliveryLogPath)
    this.#port = options.port ?? 0
    const scale = (options.timeScale ?? TIME_SCALE) * MS_PER_SECOND
    this.desk = new DeliveryDesk({
      panel,
      courier,
      log: this.deliveries,
      now: this.now,
      retryDelaysMs: ({ retrySeconds = vendor.retrySeconds }) =>
        options.retryDelaysMs ?? retrySeconds.map((gap) => gap * scale),
      answerWithinMs: options.answerWithinMs ?? vendor.answerWithinMs,
    })
  }

  /** Opens the door on loopback. The vendor's actions win over those that all have. */
  serve<Patch>(http: VendorHttp, actions: ControlActions): Emulator<K, Patch> {
    const { panel, requests, now } = this
    const deps = { http, panel, requests, now, actions: { ...this.#actions(), ...actions } }
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: this.#port,
      // A silent vendor keeps the connection open for longer than the server's patience.
      idleTimeout: 0,
      fetch: (request) => serve(deps, request),
    })
    return {
      ...this.#face(),
      url: `http://127.0.0.1:${server.port}`,
      stop: async () => {
        await this.desk.stop()
        await server.stop(true)
      },
    }
  }

  #face<Patch>(): Omit<Emulator<K, Patch>, 'url' | 'stop'> {
    const { panel, desk, deliveries, requests } = this
    return {
      setKnobs: (patch) => panel.set(patch),
      resetKnobs: () => panel.reset(),
      resend: async (orderNumber) => {
        const campaign = desk.resend(orderNumber)
        if (campaign === undefined) throw new Error(`expected an event, got none: ${orderNumber}`)
        await campaign.first
      },
      deliveries: () => deliveries.list(),
      deliveriesFor: (orderNumber) =>
        deliveries.list().filter((delivery) => delivery.orderNumber === orderNumber),
      waitForDeliveries: (isMet) => deliveries.waitFor(isMet),
      requests: () => requests.list(),
      waitForRequests: (isMet) => requests.waitFor(isMet),
      idle: () => desk.idle(),
    }
  }

  #actions(): ControlActions {
    const { panel, desk, deliveries, requests } = this
    return {
      'GET health': () => controlFound({ ok: true }),
      'GET knobs': () => controlFound(panel.get()),
      'POST knobs': (body) => controlFound(panel.set(body)),
      'DELETE knobs': () => controlFound(panel.reset()),
      'GET log': () => controlFound({ deliveries: deliveries.list(), requests: requests.list() }),
      'POST resend': async (body) => {
        const campaign = desk.resend(resendBody.parse(body).orderNumber)
        if (campaign === undefined) return controlMissing()
        await campaign.first
        return controlFound({ ok: true })
      },
    }
  }
}
