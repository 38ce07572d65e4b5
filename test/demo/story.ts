import type { CaseLine, PaymentLine, StoryResult } from './line.ts'
import type { Narrator } from './narrator.ts'
import { listen, playMerchantAway, readEvents } from './scene/event.ts'
import { playDay } from './scene/day.ts'
import { WRONG_AMOUNT, playFaults, playForgery, playWrongAmount } from './scene/fault.ts'
import { playMethods } from './scene/method.ts'
import { playDouble, playExpiry, playLate, playParts } from './scene/money.ts'
import { isAsSold, readLine } from './scene/play.ts'
import type { Sale, Scene } from './scene/play.ts'
import type { Stage } from './stage.ts'

/** What a person still has to decide when the story is over: the wrong amount, and a day at WeChat Pay. */
const CASES: readonly CaseLine[] = [
  { kind: 'discrepancies', state: 'open' },
  { kind: WRONG_AMOUNT, state: 'open' },
]

/** Plays the story once and checks every line of it. */
export async function runStory(
  stage: Stage,
  say: Narrator,
  startedAt: number,
): Promise<StoryResult> {
  await listen(stage)
  const sales = [
    ...(await playMethods(stage, say)),
    ...(await playFaults(stage, say)),
    await playMerchantAway(stage, say),
  ]
  const scenes = [
    await playForgery(stage, say),
    await playDouble(stage, say),
    await playLate(stage, say),
    await playParts(stage, say),
    await playExpiry(stage, say),
  ]
  const day = await playDay(stage, say)
  const wrong = await playWrongAmount(stage, say)
  const payments = await readSales(stage, say, sales)
  readBalances(stage, say, [...scenes, day, wrong])
  const rejected = countRejected(stage)
  say.check(`${rejected} forged callback was sent, and refused`, rejected === 1)
  const cases = await readCases(stage, say)
  const events = await readEvents(stage, say)
  return {
    ok: say.isGood(),
    payments,
    rejected,
    quarantined: cases.filter(({ kind }) => kind === WRONG_AMOUNT).length,
    refunds: [...scenes, day].flatMap(({ refunds }) => refunds),
    cases,
    events,
    reconciliation: day.reconciliation,
    elapsed_ms: Math.round(performance.now() - startedAt),
  }
}

/** Once more, when nothing happens any more: what came twice or too late shows now. */
async function readSales(
  stage: Stage,
  say: Narrator,
  sales: readonly Sale[],
): Promise<readonly PaymentLine[]> {
  const read = await Promise.all(
    sales.map(async (sale) => ({ sale, line: await readLine(stage, sale) })),
  )
  const odd = read.filter(({ sale, line }) => !isAsSold(line, sale))
  say.check(`in the end ${read.length - odd.length} of ${read.length} stand as before`, !odd.length)
  return read.map(({ line }) => line)
}

function readBalances(stage: Stage, say: Narrator, scenes: readonly Scene[]): void {
  for (const [user, points] of scenes.flatMap(({ balances }) => Object.entries(balances))) {
    const balance = stage.points.balance(user)
    say.check(`in the end ${user} has ${balance} points`, balance === points)
  }
}

/** From the vendors' own books: forged callbacks, and that none of them was believed. */
function countRejected(stage: Stage): number {
  const deliveries = [...stage.counters.values()].flatMap(({ till }) => till.vendor.deliveries())
  const forged = deliveries.filter(({ kind }) => kind === 'forged')
  return forged.filter(({ status, acknowledged }) => status === 401 && !acknowledged).length
}

async function readCases(stage: Stage, say: Narrator): Promise<readonly CaseLine[]> {
  const cases = (await stage.shop.cases()).map(({ kind, state }) => ({ kind, state }))
  const text = cases.map(({ kind, state }) => `${kind} ${state}`).join(', ')
  say.check(`cases for a person: ${text}`, Bun.deepEquals(cases, CASES))
  return cases
}
