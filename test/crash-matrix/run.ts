import { makeWechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import { arm, hasFired } from '../failpoint/control.ts'
import type { Cell } from './cell.ts'
import { startLane } from './lane.ts'
import type { Entries, Lane } from './lane.ts'
import { tell } from './story.ts'
import { expectStored, judge } from './verdict.ts'

export interface Result {
  readonly cell: Cell
  /** Empty: it passed. */
  readonly problems: readonly string[]
  readonly tookMs: number
}

export interface RunOptions {
  readonly cells: readonly Cell[]
  readonly lanes: number
  readonly entries: Entries
  readonly onResult: (result: Result) => void
}

/** Runs cells on several lanes. A lane in which one failed is given up: what is left in it is not the next one's. */
export async function runCells({ cells, lanes, entries, onResult }: RunOptions): Promise<void> {
  const keys = await makeWechatPayKeys()
  const left = cells.values()
  async function work(): Promise<void> {
    let lane: Lane | undefined
    try {
      for (const cell of left) {
        lane ??= await startLane({ keys, entries })
        const result = await runCell(lane, cell)
        onResult(result)
        if (result.problems.length === 0) continue
        await lane.stop()
        lane = undefined
      }
    } finally {
      await lane?.stop()
    }
  }
  await Promise.all(Array.from({ length: Math.min(lanes, cells.length) }, work))
}

async function runCell(lane: Lane, cell: Cell): Promise<Result> {
  const startedAt = performance.now()
  const control = lane.controls[cell.process]
  arm(control, ...cell.points)
  const problems = await play(lane, cell).catch((error: unknown) => [
    error instanceof Error ? error.message : String(error),
  ])
  const unreached = hasFired(control) ? [] : ['its failpoint was not reached']
  return {
    cell,
    problems: [...problems, ...unreached],
    tookMs: performance.now() - startedAt,
  }
}

async function play(lane: Lane, cell: Cell): Promise<string[]> {
  const told = await tell(lane, cell.story, () => expectStored(lane))
  return judge(lane, cell, told)
}
