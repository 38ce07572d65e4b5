import fc from 'fast-check'
import type { LatePolicy } from '#db/schema'
import type { Command } from './command/command.ts'
import { crash, live, pass, restart, sweepNow, work } from './command/machine.ts'
import { close, closeOrder, create, query, refund, refundTwice } from './command/shop.ts'
import {
  deliver,
  deliverLate,
  duplicate,
  nameByOther,
  pay,
  reorder,
  rotateKey,
  setPoints,
  trouble,
} from './command/town.ts'
import { endRun } from './ending.ts'
import { newModel } from './model.ts'
import type { Model } from './model.ts'
import { newOutbox } from './outbox.ts'
import type { QueueOrder } from './step.ts'
import type { Tally } from './tally.ts'
import type { Town } from './town.ts'
import { openHouse, openWorld } from './world.ts'
import type { House, World } from './world.ts'
import type { Stage } from './command/command.ts'

const COMMANDS_MAX = 32
const PLACES = 12

const place = fc.nat(PLACES)
const queueOrder = fc.constantFrom<QueueOrder>('forwards', 'backwards')
const percent = fc.constantFrom(1, 10, 30, 60, 100)

/** Every command, some more than once: those come up more often. */
const arbitraries: readonly fc.Arbitrary<Command>[] = [
  ...times(
    3,
    fc
      .tuple(place, fc.constantFrom('qr', 'jsapi'), fc.constantFrom(1, 99, 250, 1999, 25_000))
      .map((drawn) => create(...drawn)),
  ),
  ...times(
    3,
    place.map((number) => pay(number, false)),
  ),
  place.map((number) => pay(number, true)),
  ...times(3, fc.constant(null).map(deliver)),
  fc.tuple(place, fc.integer({ min: 2, max: 4 })).map((drawn) => duplicate(...drawn)),
  ...times(2, fc.constant(null).map(reorder)),
  fc.constantFrom(1, 20).map(deliverLate),
  place.map(nameByOther),
  place.map(query),
  place.map(close),
  place.map(closeOrder),
  fc.tuple(place, percent).map((drawn) => refund(...drawn)),
  place.map((number) => refund(number, 100)),
  ...times(
    2,
    fc.tuple(place, percent, percent).map((drawn) => refundTwice(...drawn)),
  ),
  ...times(4, queueOrder.map(work)),
  ...times(
    4,
    fc.tuple(fc.constantFrom(10, 70, 150), queueOrder).map((drawn) => live(...drawn)),
  ),
  ...times(2, fc.constant(null).map(sweepNow)),
  ...times(3, fc.constantFrom(6, 70, 320, 320, 1000, 3700, 90_000).map(pass)),
  fc.constant(null).map(rotateKey),
  fc.constant(null).map(restart),
  fc.nat(1000).map((number) => crash(number, 'throw')),
  fc.nat(1000).map((number) => crash(number, 'cut')),
  ...times(
    3,
    fc
      .constantFrom('ok', 'hang', 'commit_then_timeout', 'commit_then_timeout', 'error_500')
      .map(setPoints),
  ),
  fc
    .constantFrom(
      { name: 'fails after the commit', knobs: { failAfterCommit: 1 } },
      { name: 'fails', knobs: { status500: 1 } },
      { name: 'has no money to refund', knobs: { refundNotEnough: 1 } },
      { name: 'takes its time to refund', knobs: { refundResult: 'PROCESSING' } as const },
    )
    .map(({ name, knobs }) => trouble(name, knobs)),
]

function times<T>(count: number, item: T): T[] {
  return Array<T>(count).fill(item)
}

/** What each command is counted as. */
export const COMMAND_NAMES: readonly string[] = [
  'create',
  'pay',
  'pay late',
  'callback',
  'callback duplicated',
  'callbacks reordered',
  'callback late',
  "another account's callback",
  'query',
  'close',
  'close order',
  'refund part',
  'refund all',
  'two refunds at once',
  'worker once',
  'worker lives on',
  'sweep',
  'advance clock',
  'rotate key',
  'restart',
  'crash by throw',
  'crash by cut',
  'points ok',
  'points hang',
  'points commit_then_timeout',
  'points error_500',
  'vendor trouble',
]

/** How a history begins, so that short ones have something to go on. */
const OPENINGS: Readonly<Record<string, () => readonly Command[]>> = {
  nothing: () => [],
  'an order': () => [create(0, 'qr', 1999)],
  'an order with two attempts': () => [create(0, 'qr', 250), create(0, 'jsapi', 250)],
  'an order that is paid twice': () => [
    create(0, 'qr', 1999),
    create(0, 'jsapi', 1999),
    pay(0, false),
    pay(1, false),
  ],
  'an order that is paid': () => [create(0, 'qr', 1999), pay(0, false)],
  'a paid order': () => [create(0, 'qr', 25_000), pay(0, false), deliver(), work('forwards')],
}

interface Conditions {
  readonly opening: string
  readonly policy: LatePolicy
  /** Every callback that is not sent during the run is lost for ever. */
  readonly areCallbacksLost: boolean
  readonly queueOrder: QueueOrder
}

const conditions: fc.Arbitrary<Conditions> = fc.record({
  opening: fc.constantFrom(...Object.keys(OPENINGS), 'a paid order'),
  policy: fc.constantFrom('ask', 'refund', 'revive'),
  areCallbacksLost: fc.boolean(),
  queueOrder,
})

export type Run = [Conditions, Iterable<Command>]

/** Any history of an hour or of days ends as the model says, and no step of it breaks an invariant. */
export function historyProperty(
  town: Town,
  tally: Tally,
  replayPath: string | undefined,
): fc.IAsyncProperty<Run> {
  const histories = fc.commands<Model, Stage, false>([...arbitraries], {
    maxCommands: COMMANDS_MAX,
    size: 'max',
    ...(replayPath === undefined ? {} : { replayPath }),
  })
  let house: House | undefined
  return fc.asyncProperty(conditions, histories, async (given, commands) => {
    house ??= await openHouse(town)
    try {
      await play(await openWorld(house, given.policy), tally, { given, commands })
    } catch (error) {
      // What is broken in there must not break the next run: it gets a house of its own.
      await house.stop()
      house = undefined
      throw error
    }
  })
}

interface History {
  readonly given: Conditions
  readonly commands: Iterable<Command>
}

async function play(world: World, tally: Tally, { given, commands }: History): Promise<void> {
  const model = newModel(given.policy)
  const stage: Stage = { world, outbox: newOutbox(), tally }
  const opening = OPENINGS[given.opening]?.() ?? []
  for (const first of opening) await first.run(model, stage)
  await fc.asyncModelRun(() => ({ model, real: stage }), commands)
  await endRun(model, stage, given)
}
