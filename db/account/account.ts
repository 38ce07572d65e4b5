import type { ChannelAccountId, MerchantId } from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import {
  newChannelAccountId,
  newChannelKeyId,
  newVendorMerchantId,
  parseChannelAccountId,
} from '#domain/id'
import type { Secret } from '#domain/secret'
import { around } from '#failpoint'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { seal, unseal } from '../seal.ts'
import type { SealKey } from '../seal.ts'

/** A key of an account, unsealed. */
export interface StoredKey {
  readonly purpose: KeyPurpose
  readonly serial: string
  readonly value: Secret
  readonly validFrom?: Date
  readonly validUntil?: Date
}

/** A channel account with its keys, as the registry takes it. */
export interface StoredAccount {
  readonly merchantId: MerchantId
  readonly id: ChannelAccountId
  readonly name: string
  readonly channel: string
  readonly strategy: string
  readonly settings: unknown
  readonly accepting: boolean
  readonly retired: boolean
  /** Changes with every change of the row or of its keys. */
  readonly version: string
  readonly keys: readonly StoredKey[]
}

/** Loads one account with its keys; `undefined` when there is none of this id. */
export async function findAccount(
  db: Db,
  sealKey: SealKey,
  id: ChannelAccountId,
): Promise<StoredAccount | undefined> {
  const row = await db
    .selectFrom('channel_account')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const keys = await db
    .selectFrom('channel_key')
    .selectAll()
    .where('merchant_id', '=', row.merchant_id)
    .where('channel_account_id', '=', row.id)
    // The newest first: decryption tries them in this order.
    .orderBy('created_at', 'desc')
    .execute()
  return {
    merchantId: row.merchant_id,
    id: row.id,
    name: row.name,
    channel: row.channel,
    strategy: row.strategy,
    settings: row.settings,
    accepting: row.accepting,
    retired: row.retired,
    version: row.version.toString(),
    keys: keys.map((key) => ({
      purpose: key.purpose,
      serial: key.serial,
      value: unseal(sealKey, key.sealed, key.id),
      ...(key.valid_from === null ? {} : { validFrom: key.valid_from }),
      ...(key.valid_until === null ? {} : { validUntil: key.valid_until }),
    })),
  }
}

/** Accounts of a merchant that take new payments, optionally of one channel or one name. */
export async function findAccepting(
  db: Db,
  merchantId: MerchantId,
  filter: { readonly channel?: string | undefined; readonly account?: string | undefined },
): Promise<readonly ChannelAccountId[]> {
  let query = db
    .selectFrom('channel_account')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('accepting', '=', true)
    .orderBy('id')
  if (filter.channel !== undefined) query = query.where('channel', '=', filter.channel)
  const account = filter.account
  const byId = account === undefined ? undefined : parseChannelAccountId(account)
  if (account !== undefined) {
    query = query.where((where) =>
      where.or([
        where('name', '=', account),
        ...(byId === undefined ? [] : [where('id', '=', byId)]),
      ]),
    )
  }
  return (await query.execute()).map((row) => row.id)
}

export interface NewAccount {
  readonly merchantId: MerchantId
  readonly name: string
  readonly channel: string
  readonly strategy: string
  readonly settings: unknown
  readonly identity: Readonly<Record<string, string>>
  readonly vendorMerchant: { readonly vendor: string; readonly number: string }
  readonly mode: 'live' | 'test'
  readonly keys: readonly StoredKey[]
}

/** Stores an account that its strategy has checked. It takes no payments before it is enabled. */
export async function addAccount(
  db: Db,
  sealKey: SealKey,
  account: NewAccount,
): Promise<ChannelAccountId> {
  const id = newChannelAccountId()
  await commit(db, 'account.add', async (trx) => {
    const vendorMerchantId = await ensureVendorMerchant(trx, account)
    await trx
      .insertInto('channel_account')
      .values({
        merchant_id: account.merchantId,
        id,
        vendor_merchant_id: vendorMerchantId,
        name: account.name,
        channel: account.channel,
        strategy: account.strategy,
        settings: JSON.stringify(account.settings),
        identity: JSON.stringify(account.identity),
      })
      .execute()
    await addKeys(trx, sealKey, {
      merchantId: account.merchantId,
      accountId: id,
      keys: account.keys,
    })
  })
  return id
}

async function ensureVendorMerchant(trx: Trx, account: NewAccount) {
  const found = await trx
    .insertInto('vendor_merchant')
    .values({
      merchant_id: account.merchantId,
      id: newVendorMerchantId(),
      channel: account.channel,
      number: account.vendorMerchant.number,
      mode: account.mode,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['merchant_id', 'channel', 'number', 'mode'])
        .doUpdateSet({ number: account.vendorMerchant.number }),
    )
    .returning('id')
    .executeTakeFirstOrThrow()
  return found.id
}

export interface NewKeys {
  readonly merchantId: MerchantId
  readonly accountId: ChannelAccountId
  readonly keys: readonly StoredKey[]
}

/** Adds keys that are not there yet; several of one purpose are valid at once. Returns how many are new. */
export async function addKeys(trx: Trx, sealKey: SealKey, added: NewKeys): Promise<number> {
  if (added.keys.length === 0) return 0
  const rows = added.keys.map((key) => {
    const id = newChannelKeyId()
    return {
      merchant_id: added.merchantId,
      id,
      channel_account_id: added.accountId,
      purpose: key.purpose,
      serial: key.serial,
      sealed: seal(sealKey, key.value, id),
      valid_from: key.validFrom ?? null,
      valid_until: key.validUntil ?? null,
    }
  })
  const inserted = await trx
    .insertInto('channel_key')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute()
  if (inserted.length > 0) {
    await trx
      .updateTable('channel_account')
      .set((set) => ({ version: set('version', '+', 1n) }))
      .where('merchant_id', '=', added.merchantId)
      .where('id', '=', added.accountId)
      .execute()
  }
  return inserted.length
}

/** Switches an account: whether it takes new payments, and whether it is out of use for good. */
export async function setAccountFlags(
  db: Db,
  merchantId: MerchantId,
  id: ChannelAccountId,
  flags: { readonly accepting: boolean; readonly retired: boolean },
): Promise<void> {
  await around('account.flags', () =>
    db
      .updateTable('channel_account')
      .set((set) => ({ ...flags, version: set('version', '+', 1n) }))
      .where('merchant_id', '=', merchantId)
      .where('id', '=', id)
      .execute(),
  )
}
