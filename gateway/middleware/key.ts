import { findMerchantByKey } from '#db/merchant'
import type { Db } from '#db/database'
import type { MerchantId } from '#domain/id'
import { Secret } from '#domain/secret'
import { Problem } from '../problem.ts'

const BEARER = /^Bearer (\S{8,200})$/

/** The merchant that the request speaks for. Throws 401. */
export async function loadMerchant(db: Db, request: Request): Promise<MerchantId> {
  const key = BEARER.exec(request.headers.get('authorization') ?? '')?.[1]
  const merchant = key === undefined ? undefined : await findMerchantByKey(db, new Secret(key))
  if (merchant === undefined) {
    throw new Problem(401, 'api_key_invalid', 'send a valid API key: Authorization: Bearer sk_…')
  }
  return merchant
}
