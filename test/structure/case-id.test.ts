import { expect, test } from 'bun:test'
import { readSources } from './source.ts'

const sources = readSources()

/** Cases of callback intake that must each have a test of their name. */
const REQUIRED = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 20, 21, 25, 28, 29, 30, 31]

/** Cases without a test yet, with the reason. An entry that has a test must go. */
const WITHOUT_TEST: Readonly<Record<number, string>> = {
  2: 'killed at random moments by the crash flow; a kill at every await needs failpoints',
  6: 'merchant events are not built yet',
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
