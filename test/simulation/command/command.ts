import type fc from 'fast-check'
import { assert } from '#domain/assert'
import type { Model, Place } from '../model.ts'
import { placesOf } from '../model.ts'
import { tellRefunds } from '../outbox.ts'
import type { Outbox } from '../outbox.ts'
import { findDangers } from '../safety.ts'
import type { Tally } from '../tally.ts'
import type { World } from '../world.ts'

/** What a command acts on. */
export interface Stage {
  readonly world: World
  readonly outbox: Outbox
  readonly tally: Tally
}

export type Command = fc.AsyncCommand<Model, Stage>

export interface Step {
  /** Counted under this name. */
  readonly name: string
  /** Its arguments, for the one who reads a failure. */
  readonly words: string
  /** Whether it makes sense now; always, unless given. */
  readonly check?: (model: Readonly<Model>) => boolean
  /** Acts, compares the answer with the model, and tells the model. False: nothing came of it. */
  readonly run: (model: Model, stage: Stage) => Promise<boolean>
}

/** A step that is counted, and after which everything that must always hold is checked. */
export const command = ({ name, words, check, run }: Step): Command => ({
  check: (model) => check === undefined || check(model),
  async run(model, stage) {
    const hadEffect = await run(model, stage)
    stage.tally.add(name, hadEffect)
    const ids = placesOf(model).map(({ attempt }) => attempt.id)
    tellRefunds(stage.world, stage.outbox, ids)
    const dangers = await findDangers(stage.world)
    assert(dangers.length === 0, `after ${name}(${words}):\n${dangers.join('\n')}`)
  },
  toString: () => `${name}(${words})`,
})

export const hasAttempt = (model: Readonly<Model>): boolean => placesOf(model).length > 0

/** Numbers that fast-check draws are places in a list, so that a shorter run still means something. */
export function pick<T>(items: readonly T[], number: number): T {
  const item = items[number % items.length]
  assert(item !== undefined, 'expected something to pick from')
  return item
}

export const pickPlace = (model: Model, number: number): Place => pick(placesOf(model), number)
