import { newApiKeyId, newMerchantId } from '#domain/id'
import type { MerchantId } from '#domain/id'
import { SCOPES } from '#domain/scope'
import type { Scope } from '#domain/scope'
import { Secret } from '#domain/secret'
import { around } from '#failpoint'
import type { Db } from '../database.ts'

const KEY_RANDOM_BYTES = 24
const SHOWN_CHARACTERS = 12

/** Adds a merchant. Its name is unique. */
export async function addMerchant(db: Db, name: string): Promise<MerchantId> {
  const id = newMerchantId()
  await around('merchant.add', () => db.insertInto('merchant').values({ id, name }).execute())
  return id
}

const hashKey = (key: string): string => new Bun.CryptoHasher('sha256').update(key).digest('hex')

/** Whom a request speaks for, and what it may. */
export interface KeyHolder {
  readonly merchantId: MerchantId
  readonly scopes: readonly Scope[]
}

/** Makes an API key; it may do everything unless scopes are named. This is the only moment at which it can be read: its hash alone is stored. */
export async function createApiKey(
  db: Db,
  merchantId: MerchantId,
  mode: 'live' | 'test',
  scopes: readonly Scope[] = SCOPES,
): Promise<Secret> {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES))
  const key = `sk_${mode}_${Buffer.from(bytes).toString('base64url')}`
  await around('api-key.add', () =>
    db
      .insertInto('api_key')
      .values({
        merchant_id: merchantId,
        id: newApiKeyId(),
        hash: hashKey(key),
        shown_prefix: key.slice(0, SHOWN_CHARACTERS),
        scopes,
      })
      .execute(),
  )
  return new Secret(key)
}

/** Whom an API key speaks for, and what it may do; `undefined` for an unknown or revoked key. */
export async function findKeyHolder(db: Db, key: Secret): Promise<KeyHolder | undefined> {
  const row = await db
    .selectFrom('api_key')
    .select(['merchant_id', 'scopes'])
    .where('hash', '=', hashKey(key.reveal()))
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return row && { merchantId: row.merchant_id, scopes: row.scopes }
}
