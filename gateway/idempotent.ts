import type { Context } from 'hono'
import { keepAnswer, readKey, releaseKey, takeKey } from '#db/idempotency'
import type { KeyedRequest } from '#db/idempotency'
import type { Db } from '#db/database'
import type { MerchantId } from '#domain/id'
import { unreachable } from '#domain/assert'
import { readBody } from './body.ts'
import type { GatewayEnv } from './deps.ts'
import { Problem } from './problem.ts'

const KEY_CHARACTERS_MAX = 255

/** Reads what `runOnce` needs of a POST. */
export async function readKeyed(
  { req }: Context<GatewayEnv>,
  merchantId: MerchantId,
): Promise<IdempotentRequest> {
  const key = req.header('idempotency-key')
  return { merchantId, key, method: req.method, path: req.path, body: await readBody(req.raw) }
}

export interface IdempotentRequest {
  readonly merchantId: MerchantId
  readonly key: string | undefined
  readonly method: string
  readonly path: string
  readonly body: Uint8Array
}

/** An answer of ours, as it is kept and repeated. */
export interface KeptAnswer {
  readonly status: number
  readonly body: string
}

/** What running a request has come to. */
export interface RunAnswer extends KeptAnswer {
  /** It was kept with what it tells of. */
  readonly isKept?: boolean
}

type Run = () => Promise<RunAnswer>

/**
 * Runs a request once per Idempotency-Key. A repeat gets the first answer with `Idempotent-Replayed: true`.
 *
 * A request that was refused or failed keeps nothing: the corrected one may use the same key.
 */
export async function runOnce(db: Db, request: IdempotentRequest, run: Run): Promise<Response> {
  const key = keyOf(request)
  return (await takeKey(db, key)) ? answerFirst(db, key, run) : answerRepeat(db, key, run)
}

/** The key of a request as it is stored. Throws 400 where there is none. */
export function keyOf(request: IdempotentRequest): KeyedRequest {
  const { merchantId, key } = request
  if (key === undefined || key === '' || key.length > KEY_CHARACTERS_MAX) {
    throw new Problem(400, 'idempotency_key_missing', 'send Idempotency-Key, 1 to 255 characters')
  }
  return { merchantId, key, requestHash: hashRequest(request) }
}

/** Answers a request whose key was there: as the first time, or for the first time when a gateway has died. */
export async function answerRepeat(db: Db, key: KeyedRequest, run: Run): Promise<Response> {
  const outcome = await readKey(db, key)
  switch (outcome.kind) {
    case 'replay':
      return answerOf(outcome, true)
    case 'running':
      throw new Problem(409, 'idempotency_key_running', 'a request with this key is still running')
    case 'other_request':
      throw new Problem(422, 'idempotency_key_reused', 'this key belongs to another request')
    case 'run':
      return answerFirst(db, key, run)
    default:
      return unreachable(outcome)
  }
}

/** Answers a request that has taken its key. */
export async function answerFirst(db: Db, key: KeyedRequest, run: Run): Promise<Response> {
  try {
    const answer = await run()
    if (answer.isKept !== true) await keepAnswer(db, key, answer)
    return answerOf(answer, false)
  } catch (error) {
    await releaseKey(db, key)
    throw error
  }
}

function hashRequest(request: IdempotentRequest): string {
  return new Bun.CryptoHasher('sha256')
    .update(`${request.method} ${request.path}\n`)
    .update(request.body)
    .digest('hex')
}

function answerOf(answer: KeptAnswer, isReplay: boolean): Response {
  return new Response(answer.body, {
    status: answer.status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(isReplay ? { 'idempotent-replayed': 'true' } : {}),
    },
  })
}
