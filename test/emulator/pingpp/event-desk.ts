import type { Campaign, DeliveryDesk } from '../core/delivery-desk.ts'
import type { PingppCourier, PingppDelivery } from './courier.ts'
import type { EmulatedEvent, Webhook } from './event.ts'
import { isWanted } from './event.ts'
import { newEventId } from './id.ts'
import type { Knobs } from './knobs.ts'

/** What happened, and who is told. */
export interface EventNews {
  readonly type: string
  readonly object: Readonly<Record<string, unknown>>
  readonly app: string
  readonly livemode: boolean
  readonly requestId: string | null
  /** The merchant's number of the order, for the log. */
  readonly orderNumber: string
}

export type Emission = { readonly eventId: string } & Campaign

export interface EventDeskSettings {
  readonly desk: DeliveryDesk<Knobs, PingppDelivery>
  readonly courier: PingppCourier
  readonly now: () => Date
}

/** Keeps events and the dashboard's webhooks, and sends the ones to the others. */
export class EventDesk {
  readonly #settings: EventDeskSettings
  readonly #events = new Map<string, EmulatedEvent>()
  readonly #webhooks: Webhook[] = []

  constructor(settings: EventDeskSettings) {
    this.#settings = settings
  }

  addWebhook(webhook: Webhook): void {
    this.#webhooks.push(webhook)
  }

  webhooks(): readonly Webhook[] {
    return [...this.#webhooks]
  }

  find(id: string): EmulatedEvent | undefined {
    return this.#events.get(id)
  }

  list(): readonly EmulatedEvent[] {
    return [...this.#events.values()]
  }

  /** Makes an event that is not in the books and goes nowhere by itself. */
  draft(news: Omit<EventNews, 'orderNumber'>, pendingWebhooks = 0): EmulatedEvent {
    const now = this.#settings.now()
    const created = Math.floor(now.getTime() / 1000)
    return { ...news, id: newEventId(now), created, pendingWebhooks }
  }

  /** Writes an event down and starts to deliver it to every webhook that wants it. */
  emit(news: EventNews): Emission {
    const { orderNumber, ...content } = news
    const draft = this.draft(content)
    const urls = this.#webhooks.filter((webhook) => isWanted(webhook, draft)).map(({ url }) => url)
    const event: EmulatedEvent = { ...draft, pendingWebhooks: Math.max(0, urls.length - 1) }
    this.#events.set(event.id, event)
    const body = this.#settings.courier.textOf(event)
    const campaigns = urls.map((url) =>
      this.#settings.desk.start({ eventId: event.id, orderNumber, url, body }),
    )
    return { eventId: event.id, ...together(campaigns) }
  }
}

/** All sends as one: over when the last one is. */
function together(campaigns: readonly Campaign[]): Campaign {
  const all = async (promises: readonly Promise<void>[]): Promise<void> => {
    await Promise.all(promises)
  }
  return {
    first: all(campaigns.map(({ first }) => first)),
    done: all(campaigns.map(({ done }) => done)),
  }
}
