import { EFFECTS } from '#domain/failpoint'
import type { EffectName, FailpointName } from '#domain/failpoint'

/** How a callback is made that leads through an effect. */
export type Reach = (typeof EFFECTS)[EffectName]['reachedBy']

export interface Point {
  readonly name: FailpointName
  readonly reachedBy: Reach
}

const isEffect = (name: string): name is EffectName => name in EFFECTS

/** Both sides of every effect, in the order of the table. */
export const POINTS: readonly Point[] = Object.keys(EFFECTS)
  .filter(isEffect)
  .flatMap((effect) => {
    const { reachedBy } = EFFECTS[effect]
    const before: Point = { name: `${effect}:before`, reachedBy }
    return effect === 'callback.answer'
      ? [before]
      : [before, { name: `${effect}:after`, reachedBy } satisfies Point]
  })

/** The points of one path, such as `callback`. */
export const pointsOf = (path: string): readonly Point[] =>
  POINTS.filter(({ name }) => name.startsWith(`${path}.`))

/** From here on the row is durable. */
const STORED: readonly FailpointName[] = [
  'callback.commit:after',
  'callback.apart:after',
  'callback.answer:before',
]

export const isStoredAt = (name: FailpointName): boolean => STORED.includes(name)
