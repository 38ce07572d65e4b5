import { z } from 'zod'

import { AppendLog } from '../append-log.ts'
import { parseJson } from '../config.ts'
import type { Mode, PointsKnobs } from './knobs.ts'
import { PointsPanel } from './knobs.ts'
import type { AppliedEffect, EffectKind, PutOutcome, StoredEffect } from './ledger.ts'
import { PointsLedger } from './ledger.ts'

export interface PointsServiceOptions {
  /** The SQLite file of the points system; `:memory:` for one that dies with the process. */
  readonly databasePath: string
  readonly port?: number
  readonly clock?: () => Date
}

/** One request as the points system saw it. `status` is `null` if it was never answered. */
export interface PointsRequest {
  readonly method: string
  readonly path: string
  readonly mode: Mode
  readonly status: number | null
}

export interface PointsService {
  readonly url: string
  setKnobs(knobs: PointsKnobs): PointsKnobs
  effects(): readonly AppliedEffect[]
  balance(userId: string): number
  requests(): readonly PointsRequest[]
  /** Resolves as soon as the condition holds for the paths that arrived, answered or not. */
  waitForArrivals(isMet: (paths: readonly string[]) => boolean): Promise<readonly string[]>
  /** Resolves as soon as the condition holds for the log of requests, which have all ended. */
  waitForRequests(
    isMet: (requests: readonly PointsRequest[]) => boolean,
  ): Promise<readonly PointsRequest[]>
  stop(): Promise<void>
}

interface Deps {
  readonly ledger: PointsLedger
  readonly panel: PointsPanel
  readonly requests: AppendLog<PointsRequest>
  readonly arrivals: AppendLog<string>
}

const KEY_CHARACTERS_MAX = 128

const effectBody = z.strictObject({
  user_id: z.string().min(1).max(KEY_CHARACTERS_MAX),
  points: z.int().min(0),
})

/** Starts the reference points system on loopback. */
export function startPointsService(options: PointsServiceOptions): PointsService {
  const ledger = new PointsLedger(options.databasePath, options.clock ?? (() => new Date()))
  const panel = new PointsPanel()
  const requests = new AppendLog<PointsRequest>()
  const arrivals = new AppendLog<string>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: options.port ?? 0,
    // A hanging service keeps the connection open for longer than the server's patience.
    idleTimeout: 0,
    fetch: (request) => answer({ ledger, panel, requests, arrivals }, request),
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    setKnobs: (knobs) => panel.set(knobs),
    effects: () => ledger.effects(),
    balance: (userId) => ledger.balance(userId),
    requests: () => requests.list(),
    waitForArrivals: (isMet) => arrivals.waitFor(isMet),
    waitForRequests: (isMet) => requests.waitFor(isMet),
    stop: async () => {
      panel.set({ mode: 'down' })
      await server.stop(true)
      ledger.close()
    },
  }
}

async function answer(deps: Deps, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  const [, first = '', second = '', ...rest] = pathname.split('/')
  if (first === '_control') return control(deps, request, second)
  const kind = first === 'grant' || first === 'revoke' ? first : undefined
  const mode = deps.panel.take(kind)
  const text = await request.text()
  const act = (): Response => {
    const name = decodeName(second)
    if (name === undefined || rest.length > 0) return failed(404, 'unknown path')
    return route(deps, { method: request.method, first, name, text, mode })
  }
  const spoiling = spoil(deps, { mode, act, request })
  deps.arrivals.append(pathname)
  const response = await spoiling
  deps.requests.append({
    method: request.method,
    path: pathname,
    mode,
    status: response?.status ?? null,
  })
  return response ?? failed(503, 'hung up')
}

interface Meeting {
  readonly mode: Mode
  readonly act: () => Response
  readonly request: Request
}

type Spoil = (deps: Deps, meeting: Meeting) => Response | Promise<Response | undefined>

/** Lets the mode happen to a request. */
const spoil = async (deps: Deps, meeting: Meeting): Promise<Response | undefined> =>
  SPOILS[meeting.mode](deps, meeting)

/** Reading never commits, so the modes after a commit spare it. */
const isReading = ({ request }: Meeting): boolean => request.method === 'GET'

const hang: Spoil = async ({ panel }, { request }) => {
  await panel.untilChange(request.signal)
  return undefined
}

const SPOILS: Readonly<Record<Mode, Spoil>> = {
  ok: (_deps, { act }) => act(),
  ignores_key: (_deps, { act }) => act(),
  hang,
  commit_then_timeout: (deps, meeting) => {
    const answer = meeting.act()
    return isReading(meeting) ? answer : hang(deps, meeting)
  },
  commit_then_500: (_deps, meeting) => {
    const answer = meeting.act()
    return isReading(meeting) ? answer : failed(500, 'internal error')
  },
  error_500: () => failed(500, 'internal error'),
  down: () => failed(503, 'down for maintenance'),
  html: () =>
    new Response('<!doctype html><title>Welcome</title>', {
      headers: { 'Content-Type': 'text/html; charset=utf-8' },
    }),
  wrong_amount: (_deps, { act, mode }) => falsify(act(), mode),
  wrong_user: (_deps, { act, mode }) => falsify(act(), mode),
  error_200: () => Response.json({ code: 'INTERNAL', message: 'try later' }),
  claims_duplicate: (_deps, meeting) => claimDuplicate(meeting),
  commit_then_409: (_deps, meeting) => claimDuplicate(meeting),
  too_many: ({ panel }) => slowDown(panel.get().retryAfter),
  redirect: () => new Response(null, { status: 302, headers: { Location: '/elsewhere' } }),
}

function claimDuplicate(meeting: Meeting): Response {
  if (isReading(meeting)) return meeting.act()
  if (meeting.mode === 'commit_then_409') meeting.act()
  return failed(409, 'duplicate')
}

const slowDown = (retryAfter = ''): Response =>
  Response.json(
    { error: 'slow down' },
    { status: 429, headers: retryAfter === '' ? {} : { 'Retry-After': retryAfter } },
  )

async function falsify(response: Response, mode: Mode): Promise<Response> {
  if (response.status !== 200) return response
  const claim = z.looseObject({ points: z.int() }).safeParse(await response.json())
  if (!claim.success) return failed(500, 'nothing to falsify')
  if (mode === 'wrong_user') return Response.json({ ...claim.data, user_id: 'somebody else' })
  return Response.json({ ...claim.data, points: claim.data.points + 1 })
}

interface Call {
  readonly method: string
  readonly first: string
  readonly name: string
  readonly text: string
  readonly mode: Mode
}

function route(deps: Deps, { method, first, name, text, mode }: Call): Response {
  if (first === 'users' && method === 'GET') {
    return Response.json({ user_id: name, balance: deps.ledger.balance(name) })
  }
  if (first !== 'grant' && first !== 'revoke') return failed(404, 'unknown path')
  if (method === 'GET') return read(deps, first, name)
  if (method !== 'PUT') return failed(405, 'expected GET or PUT')
  const body = effectBody.safeParse(parseJson(text))
  if (!body.success) return failed(400, z.prettifyError(body.error))
  const wish = { key: name, ...body.data }
  const isCareless = mode === 'ignores_key'
  return toResponse(isCareless ? deps.ledger.putAgain(first, wish) : deps.ledger.put(first, wish))
}

function read(deps: Deps, kind: EffectKind, key: string): Response {
  const effect = deps.ledger.find(kind, key)
  return effect === undefined ? failed(404, 'unknown key') : Response.json(viewOf(effect))
}

function toResponse(outcome: PutOutcome): Response {
  switch (outcome.kind) {
    case 'stored':
      return Response.json(viewOf(outcome.effect))
    case 'differs':
      return Response.json({ error: 'differs', ...viewOf(outcome.effect) }, { status: 409 })
    case 'short':
      return Response.json({ error: 'short', balance: outcome.balance }, { status: 422 })
  }
}

const viewOf = ({ key, user_id, points }: StoredEffect): StoredEffect => ({ key, user_id, points })

const failed = (status: number, error: string): Response => Response.json({ error }, { status })

/** `undefined`: no name at all, one that is too long, or a broken escape. */
function decodeName(segment: string): string | undefined {
  try {
    const name = decodeURIComponent(segment)
    return name === '' || name.length > KEY_CHARACTERS_MAX ? undefined : name
  } catch {
    // The path is not ours; the caller answers 404.
    return undefined
  }
}

async function control(deps: Deps, request: Request, name: string): Promise<Response> {
  const { method } = request
  if (name === 'health') return Response.json({ ok: true })
  if (name === 'effects' && method === 'GET') {
    const requests = deps.requests.list()
    return Response.json({
      effects: deps.ledger.effects(),
      requests: requests.length,
      log: requests,
    })
  }
  if (name !== 'knobs') return failed(404, 'no such action')
  if (method === 'GET') return Response.json(deps.panel.get())
  try {
    return Response.json(deps.panel.set(parseJson(await request.text())))
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error
    return failed(400, z.prettifyError(error))
  }
}
