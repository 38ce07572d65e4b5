import { newApiKeyId, newMerchantId } from '#domain/id'
import type { MerchantId } from '#domain/id'
import { Secret } from '#domain/secret'
import type { Db } from './database.ts'

const KEY_RANDOM_BYTES = 24
const SHOWN_CHARACTERS = 12

/** Adds a merchant. Its name is unique. */
export async function addMerchant(db: Db, name: string): Promise<MerchantId> {
  const id = newMerchantId()
  await db.insertInto('merchant').values({ id, name }).execute()
  return id
}

const hashKey = (key: string): string => new Bun.CryptoHasher('sha256').update(key).digest('hex')

/** Makes an API key. This is the only moment at which it can be read: its hash alone is stored. */
export async function createApiKey(
  db: Db,
  merchantId: MerchantId,
  mode: 'live' | 'test',
): Promise<Secret> {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES))
  const key = `sk_${mode}_${Buffer.from(bytes).toString('base64url')}`
  await db
    .insertInto('api_key')
    .values({
      merchant_id: merchantId,
      id: newApiKeyId(),
      hash: hashKey(key),
      shown_prefix: key.slice(0, SHOWN_CHARACTERS),
    })
    .execute()
  return new Secret(key)
}

/** The merchant that an API key speaks for; `undefined` for an unknown or revoked key. */
export async function findMerchantByKey(db: Db, key: Secret): Promise<MerchantId | undefined> {
  const row = await db
    .selectFrom('api_key')
    .select('merchant_id')
    .where('hash', '=', hashKey(key.reveal()))
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return row?.merchant_id
}
