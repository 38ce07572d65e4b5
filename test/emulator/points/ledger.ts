import { Database } from 'bun:sqlite'

export type EffectKind = 'grant' | 'revoke'

/** What a key stands for. The first request with the key decides it for ever. */
export interface StoredEffect {
  readonly key: string
  readonly user_id: string
  readonly points: number
}

/** An effect as the proof reads it: `applied_count` other than 1 is a bug. */
export interface AppliedEffect extends StoredEffect {
  readonly kind: EffectKind
  readonly applied_count: number
  readonly at: string
}

export type PutOutcome =
  | { readonly kind: 'stored'; readonly effect: StoredEffect }
  | { readonly kind: 'differs'; readonly effect: StoredEffect }
  | { readonly kind: 'short'; readonly balance: number }

const SCHEMA = `
create table if not exists effect (
  kind text not null check (kind in ('grant', 'revoke')),
  key text not null,
  user_id text not null,
  points integer not null check (points >= 0),
  at text not null,
  primary key (kind, key)
) strict;
create table if not exists movement (
  id integer primary key,
  kind text not null,
  key text not null,
  user_id text not null,
  points integer not null
) strict;
create index if not exists movement_user on movement (user_id);
create index if not exists movement_key on movement (kind, key);
`

type Named = Record<string, string | number>

/** The points system's own books: one row per key, and a movement for every time points really moved. */
export class PointsLedger {
  readonly #db: Database
  readonly #now: () => Date

  constructor(path: string, now: () => Date) {
    this.#db = new Database(path, { create: true, strict: true })
    this.#db.run('pragma journal_mode = wal')
    this.#db.run('pragma busy_timeout = 5000')
    this.#db.run(SCHEMA)
    this.#now = now
  }

  /** Applies an effect once; the same key with the same values changes nothing. */
  put(kind: EffectKind, wish: StoredEffect): PutOutcome {
    return this.#db.transaction(() => this.#put(kind, wish)).immediate()
  }

  /** Moves points once more for a key that is known, as a service does that is not idempotent. */
  putAgain(kind: EffectKind, wish: StoredEffect): PutOutcome {
    if (this.find(kind, wish.key) === undefined) return this.put(kind, wish)
    this.#move(kind, wish)
    return { kind: 'stored', effect: wish }
  }

  find(kind: EffectKind, key: string): StoredEffect | undefined {
    const query = this.#db.query<StoredEffect, [Named]>(
      'select key, user_id, points from effect where kind = $kind and key = $key',
    )
    return query.get({ kind, key }) ?? undefined
  }

  balance(userId: string): number {
    const query = this.#db.query<{ balance: number }, [Named]>(
      'select coalesce(sum(points), 0) as balance from movement where user_id = $userId',
    )
    return query.get({ userId })?.balance ?? 0
  }

  effects(): readonly AppliedEffect[] {
    const query = this.#db.query<AppliedEffect, []>(`
      select effect.kind, effect.key, effect.user_id, effect.points, effect.at,
        (select count(*) from movement
          where movement.kind = effect.kind and movement.key = effect.key) as applied_count
      from effect order by effect.rowid`)
    return query.all()
  }

  close(): void {
    this.#db.close()
  }

  #put(kind: EffectKind, wish: StoredEffect): PutOutcome {
    const { key, user_id, points } = wish
    const known = this.find(kind, key)
    if (known !== undefined) {
      const isSame = known.user_id === user_id && known.points === points
      return { kind: isSame ? 'stored' : 'differs', effect: known }
    }
    const balance = this.balance(user_id)
    if (kind === 'revoke' && balance < points) return { kind: 'short', balance }
    const at = this.#now().toISOString()
    this.#db
      .query<never, [Named]>('insert into effect values ($kind, $key, $user_id, $points, $at)')
      .run({ kind, key, user_id, points, at })
    this.#move(kind, wish)
    return { kind: 'stored', effect: wish }
  }

  #move(kind: EffectKind, { key, user_id, points }: StoredEffect): void {
    const moved = kind === 'grant' ? points : -points
    this.#db
      .query<never, [Named]>(
        'insert into movement (kind, key, user_id, points) values ($kind, $key, $user_id, $moved)',
      )
      .run({ kind, key, user_id, moved })
  }
}
