import { describe, expect, test } from 'bun:test'
import { StoreUnavailable } from '#channel/callback'
import type { Arrival } from '#db/notification/notification'
import { newChannelAccountId, newMerchantId } from '#domain/id'
import { mintVerified } from '#domain/notification'
import { createIntake, defaultIntake } from '#gateway/intake'
import type { CommitBatch, IntakeOptions } from '#gateway/intake'

const merchantId = newMerchantId()
const channelAccountId = newChannelAccountId()

const arrival = (eventKey: string): Arrival => ({
  merchantId,
  channelAccountId,
  notification: mintVerified({
    eventKey,
    keySerial: '1',
    facts: { kind: 'unreadable', reason: 'x' },
  }),
  headers: {},
  body: new Uint8Array(),
})

const keysOf = (batch: readonly Arrival[]): string[] =>
  batch.map((item) => item.notification.eventKey)

/** An error as PostgreSQL gives it. */
class DatabaseError extends Error {
  readonly code: string
  constructor(code: string) {
    super(`database error ${code}`)
    this.code = code
  }
}

/** A store whose commits the test lets through, or fails. */
function makeIntake(options: Partial<IntakeOptions> = {}, judge: CommitBatch = async () => {}) {
  const batches: string[][] = []
  const gate = Promise.withResolvers<void>()
  const commit: CommitBatch = async (batch) => {
    batches.push(keysOf(batch))
    await gate.promise
    await judge(batch)
  }
  const intake = createIntake(commit, { ...defaultIntake, commitsMax: 1, ...options })
  const store = (key: string): Promise<string> =>
    intake.store(arrival(key)).then(
      () => 'stored',
      (error: unknown) =>
        error instanceof StoreUnavailable ? `unavailable: ${error.message}` : String(error),
    )
  return { batches, store, open: () => gate.resolve() }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/** One callback that holds the only commit, and three that share the next. */
async function storeThreeBehindOne(judge: CommitBatch) {
  const { batches, store, open } = makeIntake({}, judge)
  const first = store('first')
  await nextTurn()
  const others = ['a', 'bad', 'c'].map(store)
  open()
  return { batches, first: await first, others: await Promise.all(others) }
}

const isBad = (batch: readonly Arrival[]): boolean => keysOf(batch).includes('bad')

describe('callbacks that arrive together', () => {
  test('share a commit, and hear of it only when it is done', async () => {
    const { batches, store, open } = makeIntake()
    const both = Promise.all([store('a'), store('b')])
    await nextTurn()
    expect(batches).toEqual([['a', 'b']])
    expect(await Promise.race([both, nextTurn().then(() => 'waiting')])).toBe('waiting')
    open()
    expect(await both).toEqual(['stored', 'stored'])
  })

  test.each(['22P05', '22021', '23502', '23514'])(
    'one of them with data that PostgreSQL refuses (%s): the neighbours are stored',
    async (code) => {
      const { batches, others } = await storeThreeBehindOne((batch) =>
        isBad(batch) ? Promise.reject(new DatabaseError(code)) : Promise.resolve(),
      )
      expect(others).toEqual(['stored', 'unavailable: the commit failed', 'stored'])
      expect(batches).toEqual([['first'], ['a', 'bad', 'c'], ['a'], ['bad'], ['c']])
    },
  )

  test.each(['40P01', '57P01', '53300', '08006', ''])(
    'when the database is at fault (%p) nobody hears success, and nothing is tried row by row',
    async (code) => {
      const { batches, others } = await storeThreeBehindOne((batch) =>
        isBad(batch) ? Promise.reject(new DatabaseError(code)) : Promise.resolve(),
      )
      expect(new Set(others)).toEqual(new Set(['unavailable: the commit failed']))
      expect(batches).toEqual([['first'], ['a', 'bad', 'c']])
    },
  )

  test('an error that is no error object counts as the database’s fault', async () => {
    const { others } = await storeThreeBehindOne((batch) =>
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- a library may do this
      isBad(batch) ? Promise.reject('gone') : Promise.resolve(),
    )
    expect(new Set(others)).toEqual(new Set(['unavailable: the commit failed']))
  })

  test('after a failure the next ones are stored', async () => {
    let isAway = true
    const { store, open } = makeIntake({}, () =>
      isAway ? Promise.reject(new DatabaseError('57P01')) : Promise.resolve(),
    )
    open()
    expect(await store('a')).toBe('unavailable: the commit failed')
    isAway = false
    expect(await store('b')).toBe('stored')
  })
})

describe('limits', () => {
  test('more than may wait are refused at once', async () => {
    const { store, open } = makeIntake({ waitingMax: 2 })
    const waiting = [store('a'), store('b')]
    expect(await store('c')).toBe('unavailable: 2 callbacks wait already')
    open()
    expect(await Promise.all(waiting)).toEqual(['stored', 'stored'])
  })

  test('a commit has at most so many rows', async () => {
    const { batches, store, open } = makeIntake({ batchMax: 2 })
    open()
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map(store))
    expect(batches.map((batch) => batch.length)).toEqual([2, 2, 1])
  })

  test('a commit that does not end in time is no success', async () => {
    const { store } = makeIntake({ timeoutMs: 20 })
    expect(await store('a')).toBe('unavailable: no commit within 20 ms')
  })
})
