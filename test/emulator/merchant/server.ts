import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'

import { AppendLog } from '../append-log.ts'
import { parseJson } from '../config.ts'
import { answerControl } from './control.ts'
import type { MerchantKnobs, MerchantKnobsInput, Mode } from './knobs.ts'
import { MerchantPanel } from './knobs.ts'
import { judge } from './signature.ts'
import { acceptedOf } from './state.ts'
import type { Arrival, MerchantState } from './state.ts'

export interface MerchantOptions {
  readonly port?: number
  readonly clock?: () => Date
  /** A file that gets a line for every arrival, for proofs that outlive the process. */
  readonly logPath?: string
}

/** The reference merchant: it listens for events, checks them, and fails in every way that it is told. */
export interface Merchant {
  readonly url: string
  /** `host:port`, for the platform's local hosts. */
  readonly host: string
  setSecrets(secrets: readonly string[]): void
  setKnobs(knobs: MerchantKnobsInput): MerchantKnobs
  /** All requests in the order in which they came. */
  arrivals(): readonly Arrival[]
  /** The events that were genuine and answered with success, once each, in the order of their first success. */
  accepted(): readonly Arrival[]
  /** Connections that the merchant has seen. */
  connections(): number
  /** Resolves as soon as the condition holds for the arrivals, answered or not. */
  waitForArrivals(isMet: (arrivals: readonly Arrival[]) => boolean): Promise<readonly Arrival[]>
  stop(): Promise<void>
}

const BODY_BYTES_MAX = 1_048_576
const LOCALHOST = '127.0.0.1'

/** Starts the merchant's system on loopback. */
export async function startMerchant(options: MerchantOptions = {}): Promise<Merchant> {
  const state: MerchantState = {
    panel: new MerchantPanel(),
    log: new AppendLog<Arrival>(options.logPath),
    clock: options.clock ?? (() => new Date()),
    secrets: [],
    connections: 0,
  }
  const server = createServer((request, response) => void serve(state, request, response))
  server.on('connection', () => {
    state.connections += 1
  })
  const listening = Promise.withResolvers<void>()
  server.listen(options.port ?? 0, LOCALHOST, listening.resolve)
  await listening.promise
  const { port } = z.object({ port: z.number() }).parse(server.address())
  const host = `${LOCALHOST}:${port}`
  return {
    url: `http://${host}/events`,
    host,
    setSecrets: (secrets) => {
      state.secrets = secrets
    },
    setKnobs: (knobs) => state.panel.set(knobs),
    arrivals: () => state.log.list(),
    accepted: () => acceptedOf(state.log.list()),
    connections: () => state.connections,
    waitForArrivals: (isMet) => state.log.waitFor(isMet),
    stop: async () => {
      state.panel.set({ mode: 'ok' })
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      server.closeAllConnections()
      await closed.promise
    },
  }
}

async function serve(
  state: MerchantState,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request)
  if (body === undefined) return void response.writeHead(413).end()
  if (request.url?.startsWith('/_control/') === true) {
    const { status, value } = answerControl(state, request, body.toString())
    return void response
      .writeHead(status, { 'Content-Type': 'application/json' })
      .end(JSON.stringify(value))
  }
  const type = typeOf(body)
  const knobs = state.panel.take(type)
  // The panel is read before the arrival is told: whoever waits for it may turn the panel at once.
  const change = state.panel.untilChange()
  state.log.append(arrivalOf(state, request, { body, type, mode: knobs.mode }))
  await answer(response, knobs, change)
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    const piece = Buffer.from(chunk)
    bytes += piece.length
    if (bytes > BODY_BYTES_MAX) return undefined
    chunks.push(piece)
  }
  return Buffer.concat(chunks)
}

function typeOf(body: Buffer): string | undefined {
  const parsed = z.looseObject({ type: z.string() }).safeParse(parseJson(body.toString()))
  return parsed.success ? parsed.data.type : undefined
}

interface Read {
  readonly body: Buffer
  readonly type: string | undefined
  readonly mode: Mode
}

function arrivalOf(
  state: MerchantState,
  request: IncomingMessage,
  { body, type, mode }: Read,
): Arrival {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  )
  const now = state.clock()
  return {
    id: headers['webhook-id'] ?? '',
    timestamp: headers['webhook-timestamp'] ?? '',
    type,
    path: request.url ?? '',
    headers,
    body: body.toString(),
    judgement: judge({ headers, body }, state.secrets, now),
    mode,
    at: now.toISOString(),
  }
}

const CHUNK = Buffer.alloc(16_384, 'x')

async function answer(
  response: ServerResponse,
  knobs: MerchantKnobs,
  change: Promise<void>,
): Promise<void> {
  switch (knobs.mode) {
    case 'ok':
      return void response.writeHead(204).end()
    case 'status':
      return void response.writeHead(knobs.status).end()
    case 'redirect':
      return void response.writeHead(302, { Location: knobs.location }).end()
    case 'hang':
      await change
      // The socket and not the response: of one that is destroyed Bun's server may make an empty 200.
      response.socket?.destroy()
      return
    case 'close':
      response.socket?.destroy()
      return
    case 'close_in_body':
      response.writeHead(200, { 'Content-Length': '1000' })
      response.write('{"half":', () => response.socket?.destroy())
      return
    case 'endless':
      response.writeHead(200)
      pour(response)
  }
}

/** Writes for as long as somebody reads. */
function pour(response: ServerResponse): void {
  response.once('drain', () => pour(response))
  while (!response.destroyed && response.write(CHUNK)) {
    // As much as the reader takes.
  }
}
