import { describe, expect, test } from 'bun:test'
import { POINTS } from '../flow/failpoint/point.ts'
import { filterCells, makeCells, sampleCells } from './cell.ts'

const cells = makeCells()
const brokenPoints = new Set(cells.map(({ points }) => points.at(-1)?.[0]))

describe('the cells', () => {
  test('have each a name of its own', () => {
    expect(new Set(cells.map(({ name }) => name)).size).toBe(cells.length)
  })

  test('break each of their points in every way, in each process that has it', () => {
    const byPlace = Map.groupBy(cells, ({ process, points }) => `${process} ${points.at(-1)?.[0]}`)
    for (const group of byPlace.values()) {
      const actions = group.map(({ points }) => String(points.at(-1)?.[1]))
      expect(actions.toSorted()).toEqual(['cut', 'exit', 'throw'])
    }
    expect(byPlace.size).toBe(brokenPoints.size)
  })

  test('leave out what no story leads to, and nothing else', () => {
    const left = POINTS.filter(({ name }) => !brokenPoints.has(name)).map(
      ({ reachedBy }) => reachedBy,
    )
    expect([...new Set(left)].toSorted()).toEqual([
      'bad_row',
      'bill',
      'conflict',
      'elsewhere',
      'operator',
      'refused',
      'unknown_serial',
    ])
  })

  test('are found by words of their names', () => {
    const found = filterCells(cells, ['points.call:after', 'exit'])
    expect(found.map(({ name }) => name)).toEqual(['sale worker points.call:after exit'])
    expect(filterCells(cells, ['nothing']).length).toBe(0)
  })
})

describe('a sample', () => {
  const effectsOf = (count: number, seed: number) =>
    sampleCells(cells, count, seed).map(({ points }) => points.at(-1)?.[0].split(':')[0])

  test('is drawn by its seed', () => {
    const names = (seed: number) => sampleCells(cells, 32, seed).map(({ name }) => name)
    expect(names(7)).toEqual(names(7))
    expect(names(7)).not.toEqual(names(8))
    expect(names(7).length).toBe(32)
  })

  test('breaks no effect twice before each was broken once', () => {
    const effects = effectsOf(32, 7)
    expect(new Set(effects).size).toBe(32)
    const all = new Set(cells.map(({ points }) => points.at(-1)?.[0].split(':')[0])).size
    expect(new Set(effectsOf(all, 9)).size).toBe(all)
  })

  test.each([1, 2, 3, 4, 5])('of seed %i breaks in every way and in both processes', (seed) => {
    const sample = sampleCells(cells, 32, seed)
    for (const action of ['throw', 'exit', 'cut']) {
      const count = sample.filter(({ points }) => points.at(-1)?.[1] === action).length
      expect(count).toBeGreaterThanOrEqual(5)
    }
    expect(new Set(sample.map(({ process }) => process)).size).toBe(2)
    expect(new Set(sample.map(({ story }) => story)).size).toBe(2)
  })

  test('of everything is everything', () => {
    const names = (list: typeof cells) => list.map(({ name }) => name).toSorted()
    expect(names(sampleCells(cells, cells.length, 3))).toEqual(names(cells))
  })
})
