import type { GrantRow } from '#db/points/points'
import type { Clock } from '#domain/time'
import { around } from '#failpoint'
import { startDeadline } from './deadline.ts'
import { createPointsRest } from './points-rest.ts'

/** What the points system did with a grant. `unknown` is not a failure: the same call may be repeated. */
export type PointsOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** A take-back that the customer's balance does not cover. */
  | { readonly kind: 'short' }
  | { readonly kind: 'unknown'; readonly cause: string }
  /** Nothing was sent: the points system is down, or has asked for less. */
  | { readonly kind: 'resting'; readonly until: Date }

/** What the points system knows of a grant. `unknown` is no answer. */
export type PointsReading =
  | { readonly kind: 'found'; readonly userId: string; readonly points: bigint }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly cause: string }
  | { readonly kind: 'resting'; readonly until: Date }

export interface PointsClient {
  /** Until when nothing is asked; `undefined`: ask. */
  restsUntil(): Date | undefined
  /** Gives or takes back, by the row's kind. */
  send(grant: GrantRow, signal: AbortSignal): Promise<PointsOutcome>
  /** Asks what is there, and changes nothing. */
  read(grant: GrantRow, signal: AbortSignal): Promise<PointsReading>
}

export interface PointsOptions {
  readonly baseUrl: string
  readonly clock: Clock
  /** For a call with all that it takes; 5 s unless given. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 5000
const ANSWER_BYTES_MAX = 65_536
const ABSENT = 404
const CONFLICT = 409
const BALANCE_SHORT = 422

/**
 * Speaks to the points system: `PUT /grant/{key}`, `PUT /revoke/{key}` (design, section 1).
 *
 * The key comes from the order or the refund, so a repeat changes nothing. Only an answer with the very values that we
 * asked for is success; a page of HTML, a redirect or other values are not. "Known already" is a word, and the
 * values are asked for before it is believed.
 */
export function createPointsClient(options: PointsOptions): PointsClient {
  const rest = createPointsRest(options.clock)
  return {
    restsUntil: () => rest.until(),
    async send(grant, signal) {
      const until = rest.enter()
      if (until !== undefined) return { kind: 'resting', until }
      const { outcome, wishMs } = await ask(options, grant, signal)
      rest.hear({ isFailure: outcome.kind === 'unknown', wishMs })
      return outcome
    },
    async read(grant, signal) {
      const until = rest.enter()
      if (until !== undefined) return { kind: 'resting', until }
      const { reading, wishMs } = await readOne(options, grant, signal)
      rest.hear({ isFailure: reading.kind === 'unknown', wishMs })
      return reading
    },
  }
}

async function readOne(options: PointsOptions, grant: GrantRow, stop: AbortSignal) {
  const deadline = startDeadline(options.timeoutMs ?? TIMEOUT_MS, stop)
  try {
    const answer = await call(urlOf(options, grant), deadline.signal, { method: 'GET' })
    return { reading: judgeReading(answer), wishMs: answer.wishMs }
  } catch (error) {
    return { reading: { kind: 'unknown', cause: causeOf(error) } as const, wishMs: undefined }
  } finally {
    deadline.end()
  }
}

function judgeReading({ status, text }: Answer): PointsReading {
  if (status === ABSENT) return { kind: 'absent' }
  const stored = status === 200 ? parseStored(text) : undefined
  if (typeof stored?.userId !== 'string' || !Number.isSafeInteger(stored.points)) {
    return { kind: 'unknown', cause: `status ${status}` }
  }
  return { kind: 'found', userId: stored.userId, points: BigInt(Number(stored.points)) }
}

const urlOf = ({ baseUrl }: PointsOptions, grant: GrantRow): string =>
  `${baseUrl}/${grant.kind}/${grant.idempotency_key}`

interface Asked {
  readonly outcome: PointsOutcome
  readonly wishMs?: number | undefined
}

async function ask(options: PointsOptions, grant: GrantRow, stop: AbortSignal): Promise<Asked> {
  const deadline = startDeadline(options.timeoutMs ?? TIMEOUT_MS, stop)
  const { signal } = deadline
  const url = urlOf(options, grant)
  try {
    const put = await call(url, signal, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: grant.user_id, points: Number(grant.points) }),
    })
    // A conflict says that the key has other values, or only that it is known: the values decide.
    const answer = put.status === CONFLICT ? await call(url, signal, { method: 'GET' }) : put
    return { outcome: judge(grant, answer), wishMs: answer.wishMs }
  } catch (error) {
    return { outcome: { kind: 'unknown', cause: causeOf(error) } }
  } finally {
    deadline.end()
  }
}

/** Only the kind: messages of network errors may quote addresses. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly wishMs: number | undefined
}

async function call(url: string, signal: AbortSignal, init: RequestInit): Promise<Answer> {
  const response = await around('points.call', () =>
    fetch(url, { ...init, redirect: 'manual', signal }),
  )
  const { status, headers } = response
  return { status, text: await readText(response), wishMs: readWish(headers) }
}

/** As much as a grant can be; a body that goes on is somebody else's. */
async function readText(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  const chunks: Uint8Array[] = []
  let bytes = 0
  while (reader !== undefined) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.length
    if (bytes > ANSWER_BYTES_MAX) {
      await reader.cancel()
      return ''
    }
    chunks.push(value)
  }
  return Buffer.concat(chunks).toString()
}

/** RFC 9110, section 10.2.3: seconds, or a date, which counts from the date of the answer itself. */
function readWish(headers: Headers): number | undefined {
  const text = headers.get('retry-after') ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const wishMs = Date.parse(text) - Date.parse(headers.get('date') ?? '')
  return wishMs > 0 ? wishMs : undefined
}

function judge(grant: GrantRow, { status, text }: Answer): PointsOutcome {
  if (grant.kind === 'revoke' && status === BALANCE_SHORT) return { kind: 'short' }
  if (status !== 200) return { kind: 'unknown', cause: `status ${status}` }
  const stored = parseStored(text)
  if (stored === undefined) return { kind: 'unknown', cause: 'the answer is not the stored grant' }
  if (stored.userId !== grant.user_id || stored.points !== Number(grant.points)) {
    return { kind: 'refused', reason: 'the points system stored other values' }
  }
  return { kind: 'done' }
}

function parseStored(text: string): { userId: unknown; points: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    if (!('user_id' in value) || !('points' in value)) return undefined
    return { userId: value.user_id, points: value.points }
  } catch {
    // Not JSON is an answer of somebody else, such as a proxy: unknown, and asked again.
    return undefined
  }
}
