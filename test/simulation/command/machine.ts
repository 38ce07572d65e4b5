import { rmSync } from 'node:fs'
import { EFFECTS } from '#domain/failpoint'
import { assert } from '#domain/assert'
import { CONTROL, arm, hasFired } from '../../failpoint/control.ts'
import { pointsOf } from '../../flow/failpoint/point.ts'
import { pick, command } from './command.ts'
import type { Command, Stage } from './command.ts'
import { sendOnce } from '../outbox.ts'
import { runWorkerOnce, sweepOnce } from '../step.ts'
import type { QueueOrder } from '../step.ts'

// What happens to our own processes, and what they do by themselves.

const DAY_SECONDS = 86_400
/** The vendor is asked about a closed payment for a week; three days are left for the end of a run. */
const DAYS_MAX = 3

export const work = (order: QueueOrder): Command =>
  command({
    name: 'worker once',
    words: order,
    run: async (_model, { world }) => (await runWorkerOnce(world, order)) > 0,
  })

export const sweepNow = (): Command =>
  command({
    name: 'sweep',
    words: '',
    async run(_model, { world }) {
      const { notifications, grants, queries, refunds } = await sweepOnce(world)
      return notifications + grants + queries + refunds > 0
    },
  })

export const pass = (seconds: number): Command =>
  command({
    name: 'advance clock',
    words: `${seconds} s`,
    check: ({ days }) => seconds < DAY_SECONDS || days < DAYS_MAX,
    async run(model, { world }) {
      if (seconds >= DAY_SECONDS) model.days += 1
      await world.pass(seconds)
      return true
    },
  })

const TURNS = 2

/** Some time goes by, then the sweeper ticks, and the worker has a few turns. */
export const live = (seconds: number, order: QueueOrder): Command =>
  command({
    name: 'worker lives on',
    words: `${seconds} s, ${order}`,
    async run(_model, { world }) {
      await world.pass(seconds)
      await sweepOnce(world)
      let jobs = 0
      for (let turn = 0; turn < TURNS; turn += 1) jobs += await runWorkerOnce(world, order)
      return jobs > 0
    },
  })

export const restart = (): Command =>
  command({
    name: 'restart',
    words: '',
    async run(_model, { world }) {
      await world.restart()
      return true
    },
  })

/** Those on the way of a callback: what the gateway and the next turn of the worker can reach here. */
const POINTS = [...pointsOf('callback'), ...pointsOf('apply')]

/**
 * Breaks what runs at a failpoint: an error is thrown there, or all connections to the database are cut. Then
 * both processes start again. An exit needs a process of its own and is not played here.
 */
export const crash = (number: number, action: 'throw' | 'cut'): Command =>
  command({
    name: `crash by ${action}`,
    words: pick(POINTS, number).name,
    async run(_model, stage) {
      const control = process.env[CONTROL]
      assert(control !== undefined, 'the failpoints need a control file')
      const { name } = pick(POINTS, number)
      const isWorker = isOfWorker(name)
      if (isWorker) await callback(stage)
      arm(control, [name, action])
      await runInto(stage, isWorker)
      const isReached = hasFired(control)
      rmSync(control, { force: true })
      await stage.world.restart()
      return isReached
    },
  })

const isOfWorker = (name: string): boolean =>
  Object.entries(EFFECTS).some(
    ([effect, { process: owner }]) => owner === 'worker' && name.startsWith(`${effect}:`),
  )

/** What leads to the point: the next callback, or the worker's next turn, which may end by an error. */
async function runInto(stage: Stage, isWorker: boolean): Promise<void> {
  if (!isWorker) return callback(stage)
  try {
    await runWorkerOnce(stage.world, 'forwards')
  } catch {
    // The worker's own connections were cut, too: what it was at comes back.
  }
}

/** The next one that waits, or the last one again. */
async function callback({ world, outbox }: Stage): Promise<void> {
  const event = outbox.events.find(({ isAcknowledged }) => !isAcknowledged) ?? outbox.events.at(-1)
  if (event !== undefined) await sendOnce(world, outbox, event)
}
