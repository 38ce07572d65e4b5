import type { Context } from 'hono'
import { keepAnswer, releaseKey, takeKey } from '#db/idempotency'
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

/**
 * Runs a request once per Idempotency-Key. A repeat gets the first answer with `Idempotent-Replayed: true`.
 *
 * A request that was refused or failed keeps nothing: the corrected one may use the same key.
 */
export async function runOnce(
  db: Db,
  request: IdempotentRequest,
  run: () => Promise<KeptAnswer>,
): Promise<Response> {
  const { merchantId, key } = request
  if (key === undefined || key === '' || key.length > KEY_CHARACTERS_MAX) {
    throw new Problem(400, 'idempotency_key_missing', 'send Idempotency-Key, 1 to 255 characters')
  }
  const keyed = { merchantId, key, requestHash: hashRequest(request) }
  const outcome = await takeKey(db, keyed)
  switch (outcome.kind) {
    case 'replay':
      return answerOf(outcome, true)
    case 'running':
      throw new Problem(409, 'idempotency_key_running', 'a request with this key is still running')
    case 'other_request':
      throw new Problem(422, 'idempotency_key_reused', 'this key belongs to another request')
    case 'run':
      break
    default:
      return unreachable(outcome)
  }
  try {
    const answer = await run()
    await keepAnswer(db, keyed, answer)
    return answerOf(answer, false)
  } catch (error) {
    await releaseKey(db, keyed)
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
