import { expect, test } from 'bun:test'
import { readSources } from './source.ts'

const sources = readSources()

/** Cases of callback intake that must each have a test of their name. */
const REQUIRED = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 20, 21, 25, 28, 29, 30, 31]

/** Cases without a test yet, with the reason. An entry that has a test must go. */
const WITHOUT_TEST: Readonly<Record<number, string>> = {}

interface Part {
  readonly part: string
  readonly reason: string
}

/**
 * Parts of a case's assertion that its tests do not hold word for word: built later, or decided otherwise by
 * `payment-rules.md`, which wins over `peers.md`. Every other part stands in a test of the case's name.
 */
const PARTS: Readonly<Record<number, readonly Part[]>> = {
  9: [
    {
      part: 'is refused',
      reason:
        'payment rules 2: genuine news is stored and acknowledged; the move to paid is refused',
    },
  ],
  11: [
    {
      part: 'HMAC with empty key is rejected',
      reason: 'no channel verifies by HMAC; an empty key of any purpose is no key at all',
    },
  ],
  16: [
    {
      part: 'metric',
      reason:
        'the worker measures both clocks and warns; a gauge of one process would hide the other',
    },
  ],
  28: [
    {
      part: 'unknown serial ⇒ stored as pending',
      reason: 'payment rules 2, check 5: refused, one background refresh, the vendor repeats it',
    },
  ],
  30: [
    {
      part: 'deep JSON refused',
      reason: 'payment rules 2, check 8: forged it is refused, genuine it is a row for a person',
    },
  ],
}

const name = (number: number): string => `CB-${String(number).padStart(2, '0')}`

const isTested = (number: number): boolean =>
  sources.some(
    ({ path, text }) =>
      path.endsWith('.test.ts') &&
      !path.startsWith('test/structure/') &&
      text.includes(name(number)),
  )

test('every case of callback intake has a test that names it, or a reason', () => {
  const missing = REQUIRED.filter((number) => !isTested(number) && !(number in WITHOUT_TEST))
  expect(missing.map(name)).toEqual([])
})

test('no reason outlives its case', () => {
  const outlived = Object.keys(WITHOUT_TEST).filter((number) => isTested(Number(number)))
  expect(outlived).toEqual([])
})

test('a part that is left out is a part of a case that has tests', () => {
  const odd = Object.keys(PARTS).filter(
    (number) => !REQUIRED.includes(Number(number)) || !isTested(Number(number)),
  )
  expect(odd).toEqual([])
})

/** A source's cases of a payment's life: each number has a test that names it. */
interface Source {
  readonly title: string
  readonly ids: readonly string[]
}

const numbered = (prefix: string, first: number, last: number, width = 0): string[] =>
  Array.from(
    { length: last - first + 1 },
    (_, index) => `${prefix}${String(first + index).padStart(width, '0')}`,
  )

const LIFE: readonly Source[] = [
  { title: 'expiry, query, duplicates', ids: numbered('OR-', 1, 15, 2) },
  { title: 'refunds', ids: numbered('RF-', 1, 13, 2) },
  { title: 'points', ids: numbered('PT-', 1, 4, 2) },
  { title: 'workers, queues and the points system', ids: numbered('F', 78, 103) },
  { title: 'telling the merchant', ids: numbered('DN-', 1, 7, 2) },
  { title: 'a worker killed at each failpoint', ids: ['F78'] },
  { title: 'races', ids: numbered('F', 125, 135) },
  { title: 'the likeliest ways to lose money', ids: numbered('money rule ', 1, 10) },
  { title: 'reconciliation', ids: numbered('RC-', 1, 22, 2) },
  { title: 'faults of bills', ids: numbered('F', 109, 124) },
]

/** Parts of these cases that no test of the name holds word for word, by `peers.md`'s last column. */
const LIFE_PARTS: Readonly<Record<string, string>> = {
  'F79 90 s': 'as long as the other needs; the lease is pushed by the sweep here, not waited for',
  'F87 100 k':
    '5,000 and one after them, by a worker of its own process; `bench -- --full` drains 200,000',
  'F87 newest orders':
    'first in, first out; a new payment is also asked about, by a queue of its own that has no backlog',
  'OR-08 1,000 interleavings':
    '100, which is what the run has time for; `npm run soak` plays 1,000',
  'OR-14 alert': 'a case and a line of warning; alert rules come with /metrics',
  'PT-03 alarm after N minutes': 'I2 and the sweeper see it; alert rules come with /metrics',
  'RC-03 GBK': 'each vendor writes in one encoding, and is read in that alone',
  'F114 three million rows': 'in the benchmark; 50,000 here',
  'F119 T+1': 'payment rules 8: three days, then asked about, then a case',
}

test.each(LIFE.map(({ title, ids }) => [title, ids] as const))(
  'every case of %s has a test that names it',
  (_title, ids) => {
    const tests = sources.filter(
      ({ path }) => path.endsWith('.test.ts') && !path.startsWith('test/structure/'),
    )
    const missing = ids.filter((id) => !tests.some(({ text }) => new RegExp(`${id}\\b`).test(text)))
    expect(missing).toEqual([])
  },
)

test('a part that is left out belongs to a case of a list', () => {
  const ids = LIFE.flatMap(({ ids: own }) => own)
  const odd = Object.keys(LIFE_PARTS).filter((part) => !ids.some((id) => part.startsWith(`${id} `)))
  expect(odd).toEqual([])
})
