import { describe, expect, test } from 'bun:test'
import { gather } from '#db/gather'

/** An error as PostgreSQL's driver throws it. */
const failure = (code: string): Error => Object.assign(new Error(`code ${code}`), { code })

/** Doubles numbers, and throws for a batch that holds the bad one. */
function doubler(code: string, bad?: number) {
  const batches: number[][] = []
  const double = gather(async (items: readonly number[]) => {
    batches.push([...items])
    await Promise.resolve()
    if (bad !== undefined && items.includes(bad)) throw failure(code)
    return items.map((item) => item * 2)
  })
  return { batches, double }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe('calls that come together', () => {
  test('share one batch, and each gets its own result', async () => {
    const { batches, double } = doubler('')
    expect(await Promise.all([1, 2, 3].map(double))).toEqual([2, 4, 6])
    expect(batches).toEqual([[1, 2, 3]])
  })

  test('are at most 300 in one batch', async () => {
    const { batches, double } = doubler('')
    const results = await Promise.all(range(700).map(double))
    expect(results).toEqual(range(700).map((item) => item * 2))
    expect(batches.map(({ length }) => length)).toEqual([300, 300, 100])
  })

  test('a call alone waits for nobody', async () => {
    const { batches, double } = doubler('')
    expect(await double(4)).toBe(8)
    expect(await double(5)).toBe(10)
    expect(batches).toEqual([[4], [5]])
  })
})

describe('a batch that fails', () => {
  test.each(['22P05', '23514', '40P01', '55P03'])(
    'with %s is done one by one: the bad row costs only itself',
    async (code) => {
      const { batches, double } = doubler(code, 2)
      const ended = await Promise.allSettled([1, 2, 3].map(double))
      expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(batches).toEqual([[1, 2, 3], [1], [2], [3]])
    },
  )

  test.each(['57P01', '08006', ''])(
    'with "%s" fails for all: the database is away, and asking on and on would only take time',
    async (code) => {
      const { batches, double } = doubler(code, 2)
      const ended = await Promise.allSettled([1, 2, 3].map(double))
      expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
      expect(batches).toEqual([[1, 2, 3]])
    },
  )

  test('leaves the way free for the next', async () => {
    const { double } = doubler('57P01', 2)
    await Promise.allSettled(range(50).map(() => double(2)))
    expect(await double(3)).toBe(6)
  })
})

test('a missing result is an error, never a silent success', async () => {
  const short = gather((items: readonly number[]) => Promise.resolve(items.slice(1)))
  const ended = await Promise.allSettled([1, 2].map(short))
  expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})
