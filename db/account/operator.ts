import { Secret } from '#domain/secret'
import { newOperatorId } from '#domain/id'
import { around } from '#failpoint'
import type { Db } from '../database.ts'

const TOKEN_BYTES = 32

const hashToken = (token: string): string =>
  new Bun.CryptoHasher('sha256').update(token).digest('hex')

/** Adds a person who may decide. The token is shown this once: its hash alone is stored. */
export async function addOperator(db: Db, name: string): Promise<Secret> {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))
  const token = `op_${Buffer.from(bytes).toString('base64url')}`
  await around('operator.add', () =>
    db
      .insertInto('operator')
      .values({ id: newOperatorId(), name, hash: hashToken(token) })
      .execute(),
  )
  return new Secret(token)
}

/** The name that a token speaks for; `undefined` for an unknown or revoked one. */
export async function findOperator(db: Db, token: Secret): Promise<string | undefined> {
  const row = await db
    .selectFrom('operator')
    .select('name')
    .where('hash', '=', hashToken(token.reveal()))
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return row?.name
}

/** Takes a person's token away. False when there is no such person. */
export async function revokeOperator(db: Db, name: string, now: Date): Promise<boolean> {
  const rows = await around('operator.revoke', () =>
    db
      .updateTable('operator')
      .set({ revoked_at: now })
      .where('name', '=', name)
      .where('revoked_at', 'is', null)
      .returning('id')
      .execute(),
  )
  return rows.length === 1
}
