import type { Clock } from '#domain/time'
import { isAllowedUrl } from './host.ts'
import { redact } from './redact.ts'

export type ExchangeKind = 'create' | 'query' | 'close' | 'key' | 'refund' | 'refund_query' | 'bill'

/** One HTTP exchange with a vendor, redacted: what the transaction log keeps. */
export interface Exchange {
  readonly kind: ExchangeKind
  readonly method: string
  readonly url: string
  readonly requestBody: string
  /** Absent when there was no answer. */
  readonly status?: number
  readonly responseBody: string
  readonly error?: string
  readonly startedAt: Date
  readonly elapsedMs: number
}

/** Takes an exchange for the transaction log. Never throws. */
export type RecordExchange = (exchange: Exchange) => void

/** The part of `fetch` that we use, so that a test can stand in for it. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface HttpOptions {
  readonly clock: Clock
  readonly fetch: Fetch
  readonly localHosts: readonly string[]
  readonly record: RecordExchange
  /** From the first byte sent to the last byte read, however slowly the vendor drips. */
  readonly timeoutMs: number
  readonly responseBytesMax: number
}

export interface HttpRequest {
  readonly kind: ExchangeKind
  readonly method: 'GET' | 'POST'
  readonly url: string
  /** Never recorded: `Authorization` is among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer>
}

/**
 * `host_refused`, `connection`: nobody was reached, so nothing was sent. After `cut`, `timeout` or `too_large`
 * the vendor may have acted.
 */
export type NoAnswerCause = 'host_refused' | 'connection' | 'cut' | 'timeout' | 'too_large'

export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  /** Names are lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type HttpOutcome = Answered | { readonly kind: 'no_answer'; readonly cause: NoAnswerCause }

/** Trouble at the vendor or on the way to it, where no outcome can carry it. Try again. */
export class ChannelUnavailable extends Error {
  override readonly name = 'ChannelUnavailable'
}

/**
 * Sends one request to a vendor and reads the whole answer, within limits.
 *
 * Redirects are answers and are not followed: a vendor's API has none, and a signed request must not
 * travel to a host that an answer names. Every exchange is recorded, redacted, also when there is no answer.
 */
export async function sendHttp(options: HttpOptions, request: HttpRequest): Promise<HttpOutcome> {
  const startedAt = options.clock.now()
  const { outcome, error } = isAllowedUrl(request.url, options.localHosts)
    ? await exchange(options, request)
    : noAnswer('host_refused')
  options.record({
    kind: request.kind,
    method: request.method,
    url: redact(request.url),
    requestBody: recorded(request.body),
    ...(outcome.kind === 'answered' ? { status: outcome.status } : {}),
    responseBody: outcome.kind === 'answered' ? recorded(outcome.body) : '',
    ...(error === undefined ? {} : { error }),
    startedAt,
    elapsedMs: options.clock.now().getTime() - startedAt.getTime(),
  })
  return outcome
}

const recorded = (body: Uint8Array | undefined): string => redact(new TextDecoder().decode(body))

const initOf = (request: HttpRequest, deadline: Deadline): RequestInit => ({
  method: request.method,
  headers: { ...request.headers },
  redirect: 'manual',
  signal: deadline.signal,
  ...(request.body === undefined ? {} : { body: request.body }),
})

interface Attempt {
  readonly outcome: HttpOutcome
  readonly error?: string
}

const noAnswer = (cause: NoAnswerCause, detail?: string): Attempt => ({
  outcome: { kind: 'no_answer', cause },
  error: detail === undefined ? cause : `${cause}: ${detail}`,
})

async function exchange(options: HttpOptions, request: HttpRequest): Promise<Attempt> {
  const deadline = new Deadline(options.timeoutMs)
  try {
    const response = await deadline.race(options.fetch(request.url, initOf(request, deadline)))
    const body = await readLimited(response, options.responseBytesMax, deadline)
    if (body === undefined) return noAnswer('too_large')
    const headers = Object.fromEntries(response.headers)
    return { outcome: { kind: 'answered', status: response.status, headers, body } }
  } catch (error) {
    // Every way in which a network can fail ends here; none of them says what the vendor did.
    const cause = causeOf(error, deadline)
    return cause === 'timeout' ? noAnswer(cause) : noAnswer(cause, errorCode(error))
  } finally {
    deadline.end()
  }
}

/** Takes one piece of a download; false stops it. */
export type TakeChunk = (chunk: Uint8Array) => Promise<boolean>

export type DownloadOutcome =
  | {
      readonly kind: 'done'
      readonly status: number
      readonly headers: Headers
      readonly bytes: number
    }
  | { readonly kind: 'stopped' }
  /** An answer that is no download: short, and read whole. */
  | { readonly kind: 'answered'; readonly status: number; readonly body: Uint8Array }
  | { readonly kind: 'no_answer'; readonly cause: NoAnswerCause }

/**
 * Downloads in pieces, in constant memory. Only status 200 is a download; anything else is an answer.
 *
 * The record holds the address and the size, never the content: bills name every customer.
 */
export async function downloadHttp(
  options: HttpOptions,
  request: HttpRequest,
  take: TakeChunk,
): Promise<DownloadOutcome> {
  const startedAt = options.clock.now()
  const { outcome, error } = isAllowedUrl(request.url, options.localHosts)
    ? await download(options, request, take)
    : { outcome: { kind: 'no_answer', cause: 'host_refused' } as const, error: 'host_refused' }
  options.record({
    kind: request.kind,
    method: request.method,
    url: redact(request.url),
    requestBody: recorded(request.body),
    ...('status' in outcome ? { status: outcome.status } : {}),
    responseBody: describeDownload(outcome),
    ...(error === undefined ? {} : { error }),
    startedAt,
    elapsedMs: options.clock.now().getTime() - startedAt.getTime(),
  })
  return outcome
}

function describeDownload(outcome: DownloadOutcome): string {
  if (outcome.kind === 'done') return `${outcome.bytes} bytes`
  return outcome.kind === 'answered' ? recorded(outcome.body) : ''
}

interface Download {
  readonly outcome: DownloadOutcome
  readonly error?: string
}

async function download(
  options: HttpOptions,
  request: HttpRequest,
  take: TakeChunk,
): Promise<Download> {
  const deadline = new Deadline(options.timeoutMs)
  try {
    const response = await deadline.race(options.fetch(request.url, initOf(request, deadline)))
    const { status } = response
    if (status !== 200) {
      const body = await readLimited(response, options.responseBytesMax, deadline)
      return { outcome: { kind: 'answered', status, body: body ?? new Uint8Array() } }
    }
    return await readPieces(response, deadline, take)
  } catch (error) {
    // Half a bill is no bill: the caller starts again from nothing.
    const cause = causeOf(error, deadline)
    return { outcome: { kind: 'no_answer', cause }, error: `${cause}: ${errorCode(error)}` }
  } finally {
    deadline.end()
  }
}

async function readPieces(
  response: Response,
  deadline: Deadline,
  take: TakeChunk,
): Promise<Download> {
  const { status, headers } = response
  const reader = response.body?.getReader()
  let bytes = 0
  for (;;) {
    const piece = reader === undefined ? undefined : await deadline.race(reader.read())
    if (piece === undefined || piece.done)
      return { outcome: { kind: 'done', status, headers, bytes } }
    bytes += piece.value.length
    if (await take(piece.value)) continue
    await reader?.cancel()
    return { outcome: { kind: 'stopped' }, error: 'too large' }
  }
}

/** Reads at most `bytesMax`; stops reading and answers `undefined` at the first byte above. */
async function readLimited(
  response: Response,
  bytesMax: number,
  deadline: Deadline,
): Promise<Uint8Array | undefined> {
  const reader = response.body?.getReader()
  if (reader === undefined) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await deadline.race(reader.read())
    if (done) return Buffer.concat(chunks)
    bytes += value.length
    if (bytes > bytesMax) {
      await reader.cancel()
      return undefined
    }
    chunks.push(value)
  }
}

/** An absolute end for a whole exchange, also against a `fetch` that does not listen to its signal. */
class Deadline {
  readonly #controller = new AbortController()
  /** Who waits now, and no longer: what is kept until the end keeps every piece of a download. */
  readonly #waiting = new Set<(error: Error) => void>()
  readonly #timer: ReturnType<typeof setTimeout>

  constructor(timeoutMs: number) {
    this.#timer = setTimeout(() => {
      this.#controller.abort()
      for (const reject of this.#waiting) reject(new Error('deadline passed'))
    }, timeoutMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  async race<T>(work: Promise<T>): Promise<T> {
    const { promise: expired, reject } = Promise.withResolvers<never>()
    if (this.signal.aborted) reject(new Error('deadline passed'))
    this.#waiting.add(reject)
    try {
      return await Promise.race([work, expired])
    } finally {
      this.#waiting.delete(reject)
    }
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/** Errors of making a connection. Any other, known to us or not, may follow a request that was read. */
const UNREACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

function causeOf(error: unknown, { signal }: Deadline): NoAnswerCause {
  if (signal.aborted) return 'timeout'
  return UNREACHED.has(errorCode(error)) ? 'connection' : 'cut'
}

/** Only the code: messages of network errors may quote the whole address. */
function errorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code)
  return error instanceof Error ? error.name : 'unknown error'
}
