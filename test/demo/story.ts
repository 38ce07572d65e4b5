import type { PaymentLine, StoryResult } from './line.ts'
import type { Narrator } from './narrator.ts'
import { playFaults, playForgery, playWrongAmount } from './scene/fault.ts'
import { playMethods } from './scene/method.ts'
import { playDouble, playExpiry, playLate, playParts } from './scene/money.ts'
import type { Stage } from './stage.ts'

/**
 * Plays the story once and checks every line of it.
 *
 * What takes a minute, because a vendor or a deadline wants it, plays beside the rest.
 */
export async function runStory(
  stage: Stage,
  say: Narrator,
  startedAt: number,
): Promise<StoryResult> {
  const slow = Promise.all([playExpiry(stage, say), playParts(stage, say)])
  // A scene that fails while another is told must not end the process before the story does.
  slow.catch(() => undefined)
  const methods = await playMethods(stage, say)
  const faults = await playFaults(stage, say)
  const rejected = await playForgery(stage, say)
  const quarantined = await playWrongAmount(stage, say)
  const money = [await playDouble(stage, say), await playLate(stage, say), ...(await slow)]
  const cases = await stage.shop.cases()
  const payments = [...methods, ...faults]
  return {
    ok:
      payments.every(isPaid) &&
      money.every(({ isGood }) => isGood) &&
      say.isGood() &&
      rejected === 1 &&
      quarantined === 1,
    payments,
    rejected,
    quarantined,
    refunds: money.flatMap(({ refunds }) => refunds),
    cases: cases.map(({ kind, state }) => ({ kind, state })),
    elapsed_ms: Math.round(performance.now() - startedAt),
  }
}

const isPaid = ({ state, order, points }: PaymentLine): boolean =>
  state === 'paid' && order === 'paid' && points > 0
