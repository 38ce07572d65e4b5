/** What Ping++ tells about one thing that happened, before it is signed (dossier 4.1). Never changed. */
export interface EmulatedEvent {
  readonly id: string
  readonly created: number
  readonly livemode: boolean
  readonly type: string
  /** The charge, refund or summary as it was then. */
  readonly object: Readonly<Record<string, unknown>>
  readonly app: string
  /** The API request behind it; `null` if nobody asked for it. */
  readonly requestId: string | null
  readonly pendingWebhooks: number
}

/** Where events of an app and a mode go; the dashboard's own list (dossier 4.2). */
export interface Webhook {
  readonly app: string
  readonly livemode: boolean
  readonly url: string
  /** All types unless given. */
  readonly types?: readonly string[]
}

/** The event object, in the order of the published ones. */
export const eventObject = (event: EmulatedEvent): Readonly<Record<string, unknown>> => ({
  id: event.id,
  created: event.created,
  livemode: event.livemode,
  type: event.type,
  data: { object: event.object },
  object: 'event',
  request: event.requestId,
  pending_webhooks: event.pendingWebhooks,
})

/** Whether the dashboard's entry asks for this event. */
export const isWanted = (webhook: Webhook, event: EmulatedEvent): boolean =>
  webhook.app === event.app &&
  webhook.livemode === event.livemode &&
  (webhook.types === undefined || webhook.types.includes(event.type))
