import { EFFECTS } from '#domain/failpoint'
import type { EffectName, FailpointName, Reach } from '#domain/failpoint'
import type { FailpointAction } from '../failpoint/control.ts'
import { createRandom } from '../flow/crash/random.ts'

/** A purchase with its callbacks, or the same when no callback ever arrives. */
export type StoryName = 'sale' | 'silence'

type Point = readonly [name: FailpointName, action: FailpointAction]

/** One process broken once, at one point, in one way, in one story. */
export interface Cell {
  readonly name: string
  readonly story: StoryName
  readonly process: 'gateway' | 'worker'
  /** The last one is what the cell is about; one before it makes the failure that leads there. */
  readonly points: readonly Point[]
}

/** An error, kill -9, and the end of all database connections of the process. */
const ACTIONS = ['throw', 'exit', 'cut'] as const satisfies readonly FailpointAction[]

/** Which story leads to an effect. What is not here has tests of its own, or none that breaks it. */
const STORIES: Readonly<Partial<Record<Reach, StoryName>>> = {
  any: 'sale',
  repeat: 'sale',
  sale: 'sale',
  failure: 'sale',
  silence: 'silence',
}

/** What must have failed for these to happen. */
const CAUSES: Readonly<Partial<Record<EffectName, Point>>> = {
  'request.release': ['vendor.create:before', 'throw'],
  'request.take-over': ['vendor.create:before', 'exit'],
  'points.delay': ['points.call:before', 'throw'],
}

const isEffect = (name: string): name is EffectName => name in EFFECTS

/** All cells, in the order of the table of effects. */
export function makeCells(): readonly Cell[] {
  return Object.keys(EFFECTS).filter(isEffect).flatMap(cellsOf)
}

function cellsOf(effect: EffectName): Cell[] {
  const { process, reachedBy } = EFFECTS[effect]
  const story = STORIES[reachedBy]
  if (story === undefined || process === 'command') return []
  const processes = process === 'both' ? (['gateway', 'worker'] as const) : [process]
  const cause = CAUSES[effect]
  return processes.flatMap((own) =>
    sidesOf(effect).flatMap((point) =>
      ACTIONS.map((action) => ({
        name: `${story} ${own} ${point} ${action}`,
        story,
        process: own,
        points: [...(cause === undefined ? [] : [cause]), [point, action] as const],
      })),
    ),
  )
}

const sidesOf = (effect: EffectName): readonly FailpointName[] =>
  effect === 'callback.answer' ? [`${effect}:before`] : [`${effect}:before`, `${effect}:after`]

/** The cells in whose names all the words stand. */
export const filterCells = (cells: readonly Cell[], words: readonly string[]): readonly Cell[] =>
  cells.filter(({ name }) => words.every((word) => ` ${name} `.includes(word)))

/**
 * So many cells, drawn by a seed and spread: effects take turns, and so do the actions of each.
 *
 * With as many cells as there are effects, each effect is broken once.
 */
export function sampleCells(cells: readonly Cell[], count: number, seed: number): readonly Cell[] {
  const random = createRandom(seed)
  const groups = [...Map.groupBy(random.shuffle(cells), areaOf).values()]
  const rounds = Math.max(...groups.map((group) => group.length))
  const turns = Array.from({ length: rounds }, (_, round) =>
    random.shuffle(groups.flatMap((group) => group.slice(round, round + 1))),
  )
  return turns.flat().slice(0, count)
}

/** The effect, without its side. */
function areaOf({ points }: Cell): string {
  const [name = ''] = points.at(-1) ?? []
  return name.replace(/:\w+$/, '')
}
