import { setImmediate as nextTurn } from 'node:timers/promises'

import type { AppendLog } from '../append-log.ts'
import type { ControlActions } from './control.ts'
import { handleControl } from './control.ts'
import type { CommonKnobs, FaultPanel } from './knobs.ts'

/** A request as it arrived: the target and the body byte for byte. */
export interface ApiRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Headers
  /** The body read as UTF-8. */
  readonly body: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** One API request as the vendor saw it. `status` is `null` if it was never answered. */
export interface RequestEntry {
  readonly method: string
  readonly target: string
  /** What the vendor calls it, where the path does not say. */
  readonly operation: string | null
  readonly status: number | null
  readonly code: string | null
  readonly at: string
}

export interface VendorAnswer {
  readonly response: Response
  /** For the log of requests. */
  readonly operation?: string
  /** The vendor's error code, for the log of requests. */
  readonly code?: string
  /** The vendor's books changed: now the faults after a commit may happen. */
  readonly hasCommitted?: boolean
}

/** The vendor's side of HTTP. */
export interface VendorHttp {
  answer(request: ApiRequest): VendorAnswer | Promise<VendorAnswer>
  /** The vendor's own words for a failure of its own. */
  serverError(request: ApiRequest): VendorAnswer
  /** Pages for the buyer's browser: no fault of the API happens there. None unless given. */
  isForBuyer?(request: ApiRequest): boolean
}

export interface ServerDeps<K extends CommonKnobs> {
  readonly http: VendorHttp
  readonly panel: FaultPanel<K>
  readonly requests: AppendLog<RequestEntry>
  readonly actions: ControlActions
  readonly now: () => Date
}

const CONTROL = '/_control/'
const BODY_BYTES_MAX = 1024 * 1024

/** Answers one HTTP request: the control panel, or the vendor with the faults of the panel. */
export async function serve<K extends CommonKnobs>(
  deps: ServerDeps<K>,
  raw: Request,
): Promise<Response> {
  const request = await readRequest(raw)
  if (request.path.startsWith(CONTROL)) {
    return handleControl(deps.actions, request, request.path.slice(CONTROL.length))
  }
  const isSpared = deps.http.isForBuyer?.(request) === true
  const answer = isSpared
    ? await deps.http.answer(request)
    : await answerApi(deps, request, raw.signal)
  deps.requests.append({
    method: request.method,
    target: request.target,
    operation: answer?.operation ?? null,
    status: answer?.response.status ?? null,
    code: answer?.code ?? null,
    at: deps.now().toISOString(),
  })
  // Nobody is listening any more; the status is for the server's sake.
  return answer?.response ?? new Response(null, { status: 500 })
}

/** `undefined`: the caller hung up before the vendor spoke. */
async function answerApi<K extends CommonKnobs>(
  { panel, http }: ServerDeps<K>,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<VendorAnswer | undefined> {
  if (!(await panel.whenSpeaking(signal))) return undefined
  if (panel.take('hangRequests')) return hungUp(signal)
  if (panel.take('status500')) return { response: new Response(null, { status: 500 }) }
  if (panel.take('htmlAnswers')) return { response: proxyPage() }
  const answer = await http.answer(request)
  if (answer.hasCommitted === true) {
    if (panel.take('silenceAfterCommit')) return hungUp(signal)
    if (panel.take('failAfterCommit')) return http.serverError(request)
  }
  if (!panel.take('cutAnswers')) return answer
  return { ...answer, response: await cut(answer.response) }
}

const proxyPage = (): Response =>
  new Response('<!doctype html><title>Welcome</title><h1>It works</h1>', {
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
  })

/** The head and half of the body, then the connection breaks. */
async function cut(response: Response): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  let isBegun = false
  const stream = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (!isBegun) {
        isBegun = true
        controller.enqueue(bytes.slice(0, Math.ceil(bytes.length / 2)))
        return
      }
      // In a turn of its own, or nothing at all would be sent; without a reason, or Bun prints it.
      await nextTurn()
      controller.error()
    },
  })
  return new Response(stream, { status: response.status, headers: response.headers })
}

const hungUp = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined))
  })

async function readRequest(request: Request): Promise<ApiRequest> {
  const target = request.url.replace(/^[a-z]+:\/\/[^/?]*/i, '')
  const [path = '/'] = target.split('?')
  const bytes = new Uint8Array(await request.arrayBuffer())
  if (bytes.length > BODY_BYTES_MAX) {
    throw new Error(`expected at most ${BODY_BYTES_MAX} bytes, got ${bytes.length}`)
  }
  return {
    method: request.method,
    target,
    path,
    query: new URLSearchParams(target.slice(path.length)),
    headers: request.headers,
    body: Buffer.from(bytes).toString('utf8'),
    bytes,
  }
}
