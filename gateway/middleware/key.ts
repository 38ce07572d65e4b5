import { findKeyHolder } from '#db/account/merchant'
import type { Db } from '#db/database'
import type { MerchantId } from '#domain/id'
import type { Scope } from '#domain/scope'
import { Secret } from '#domain/secret'
import { Problem } from '../problem.ts'

const BEARER = /^Bearer (\S{8,200})$/

/** The merchant that the request speaks for. Throws 401, and 403 when its key lacks the scope. */
export async function loadMerchant(db: Db, request: Request, scope: Scope): Promise<MerchantId> {
  const key = BEARER.exec(request.headers.get('authorization') ?? '')?.[1]
  const holder = key === undefined ? undefined : await findKeyHolder(db, new Secret(key))
  if (holder === undefined) {
    throw new Problem(401, 'api_key_invalid', 'send a valid API key: Authorization: Bearer sk_…')
  }
  if (!holder.scopes.includes(scope)) {
    throw new Problem(403, 'scope_missing', `this needs an API key with the scope ${scope}`)
  }
  return holder.merchantId
}
