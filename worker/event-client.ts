import { createHmac } from 'node:crypto'
import type { AttemptResult } from '#db/event/event-result'
import type { Secret } from '#domain/secret'
import { unixSeconds } from '#domain/time'
import type { Clock } from '#domain/time'
import { around } from '#failpoint'
import { checkAddress } from './address.ts'
import type { Resolve } from './address.ts'
import { startDeadline } from './deadline.ts'

export interface EventMessage {
  readonly url: string
  /** Stays the same in every attempt. */
  readonly id: string
  readonly body: string
  /** The current secret first; an older one while it is being replaced. */
  readonly secrets: readonly Secret[]
}

export interface EventClient {
  send(message: EventMessage): Promise<AttemptResult>
}

export interface EventClientOptions {
  readonly clock: Clock
  readonly localHosts: readonly string[]
  readonly resolve: Resolve
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** 15 s unless given. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 15_000
const USER_AGENT = 'pingzhang/0.1'

/**
 * Tells a merchant's system one event (Standard Webhooks 1.0).
 *
 * The bytes that are signed are the bytes that are sent. A redirect is an answer and no success: it may
 * lead into somebody's network. Nothing of the answer is kept but its status.
 */
export function createEventClient(options: EventClientOptions): EventClient {
  return {
    async send(message) {
      const startedAt = options.clock.now()
      const { status, error } = await post(options, message, startedAt)
      const elapsedMs = Math.max(0, options.clock.now().getTime() - startedAt.getTime())
      return { status, error, startedAt, elapsedMs }
    },
  }
}

type Posted = Pick<AttemptResult, 'status' | 'error'>

async function post(options: EventClientOptions, message: EventMessage, at: Date): Promise<Posted> {
  const deadline = startDeadline(options.timeoutMs ?? TIMEOUT_MS)
  const { signal } = deadline
  try {
    return await Promise.race([exchange(options, message, { at, signal }), rejectWith(signal)])
  } catch (error) {
    // No name, no connection, no answer in time: all of them are tried again.
    return { status: undefined, error: nameOf(error) }
  } finally {
    deadline.end()
  }
}

/** For what does not listen to a signal: looking up a name, and a body that does not let go. */
function rejectWith(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason))
  return promise
}

async function exchange(
  options: EventClientOptions,
  message: EventMessage,
  { at, signal }: { readonly at: Date; readonly signal: AbortSignal },
): Promise<Posted> {
  const address = await checkAddress(message.url, options.localHosts, options.resolve)
  if (address === undefined) return { status: undefined, error: 'address refused' }
  const response = await around('event.call', () =>
    options.fetch(address.url, {
      method: 'POST',
      headers: { ...headersOf(message, at), host: address.host },
      body: message.body,
      redirect: 'manual',
      // A connection of its own: one that was made under another merchant's name is not this merchant's.
      keepalive: false,
      signal,
      ...(address.serverName === undefined ? {} : { tls: { serverName: address.serverName } }),
    }),
  )
  // The body is not ours to read: an endless one must not hold us.
  await response.body?.cancel()
  return { status: response.status, error: undefined }
}

/** Standard Webhooks 1.0, "Webhook headers" and "Signature scheme". */
export function headersOf(
  { id, body, secrets }: Omit<EventMessage, 'url'>,
  at: Date,
): Record<string, string> {
  const timestamp = String(unixSeconds(at))
  const signatures = secrets.map((secret) => signEvent(secret, `${id}.${timestamp}.${body}`))
  return {
    'content-type': 'application/json',
    'user-agent': USER_AGENT,
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}

function signEvent(secret: Secret, text: string): string {
  const key = Buffer.from(secret.reveal().replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(text).digest('base64')}`
}

/** Only the kind: messages of network errors may quote addresses. A number is the code of a `DOMException`. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
