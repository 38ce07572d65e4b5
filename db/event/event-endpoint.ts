import type { Selectable } from 'kysely'
import type { EndpointId, MerchantId } from '#domain/id'
import { newEndpointId } from '#domain/id'
import { Secret } from '#domain/secret'
import { around } from '#failpoint'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import type { Schema } from '../schema.ts'
import { seal } from '../seal.ts'
import type { SealKey } from '../seal.ts'

export type EndpointRow = Selectable<Schema['event_endpoint']>

const SECRET_BYTES = 32
/** More would make every event of a merchant a flood. */
export const ENDPOINTS_MAX = 10

export interface NewEndpoint {
  readonly id: EndpointId
  /** Shown once: it is sealed and never read out again. */
  readonly secret: Secret
}

/** Standard Webhooks, "Signature scheme": the prefix and base64 of random bytes. */
function newSecret(): Secret {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES))
  return new Secret(`whsec_${Buffer.from(bytes).toString('base64')}`)
}

/** Adds an address; `undefined` when the merchant has as many as it may. */
export async function addEndpoint(
  db: Db,
  sealKey: SealKey,
  merchantId: MerchantId,
  url: string,
): Promise<NewEndpoint | undefined> {
  const id = newEndpointId()
  const secret = newSecret()
  const sealed = seal(sealKey, secret, id)
  return commit(db, 'endpoint.add', async (trx) => {
    // The lock: of requests at once, each counts what the one before has added.
    await trx
      .selectFrom('merchant')
      .select('id')
      .where('id', '=', merchantId)
      .forNoKeyUpdate()
      .execute()
    const known = await findEndpoints(trx, merchantId)
    if (known.length >= ENDPOINTS_MAX) return undefined
    await trx
      .insertInto('event_endpoint')
      .values({ merchant_id: merchantId, id, url, sealed })
      .execute()
    return { id, secret }
  })
}

/** The merchant's addresses that are called, the oldest first. */
export const findEndpoints = (db: Db, merchantId: MerchantId): Promise<EndpointRow[]> =>
  db
    .selectFrom('event_endpoint')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('enabled', '=', true)
    .orderBy('id')
    .execute()

/** Gives a new secret; the old one signs beside it until `previousUntil`. `undefined`: no such address. */
export async function rotateSecret(
  db: Db,
  sealKey: SealKey,
  endpoint: { readonly merchantId: MerchantId; readonly id: EndpointId },
  previousUntil: Date,
): Promise<Secret | undefined> {
  const secret = newSecret()
  const rows = await around('endpoint.secret', () =>
    db
      .updateTable('event_endpoint')
      .set((column) => ({
        previous_sealed: column.ref('sealed'),
        previous_until: previousUntil,
        sealed: seal(sealKey, secret, endpoint.id),
      }))
      .where('merchant_id', '=', endpoint.merchantId)
      .where('id', '=', endpoint.id)
      .where('enabled', '=', true)
      .returning('id')
      .execute(),
  )
  return rows.length === 1 ? secret : undefined
}

/** Calls the address no more; what still waited for it is dead, without a case: the merchant wanted it. */
export async function removeEndpoint(
  db: Db,
  merchantId: MerchantId,
  id: EndpointId,
): Promise<boolean> {
  return commit(db, 'endpoint.remove', (trx) => endEndpoint(trx, merchantId, id))
}

/** As `removeEndpoint`, in the caller's transaction. False: it was not called any more. */
export async function endEndpoint(
  trx: Trx,
  merchantId: MerchantId,
  id: EndpointId,
): Promise<boolean> {
  // Deliveries before their address, as everywhere; one that is written meanwhile ends when it is due. They
  // are locked in a statement of its own: one that locks and updates what others update can deadlock.
  const waiting = await trx
    .selectFrom('event_delivery')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', id)
    .where('state', '=', 'pending')
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  if (waiting.length > 0) {
    await trx
      .updateTable('event_delivery')
      .set({ state: 'dead', due_at: null })
      .where('merchant_id', '=', merchantId)
      .where('endpoint_id', '=', id)
      .where('state', '=', 'pending')
      .execute()
  }
  const rows = await trx
    .updateTable('event_endpoint')
    .set({ enabled: false })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('enabled', '=', true)
    .returning('id')
    .execute()
  return rows.length === 1
}
