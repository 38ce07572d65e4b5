import { unreachable } from '#domain/assert'
import type { RefundOutcome, RefundQueryOutcome } from './channel.ts'
import { ChannelUnavailable } from './http.ts'
import type { NoAnswerCause } from './http.ts'

/**
 * What a refused call comes to, once the vendor has said that it has no such refund.
 *
 * A refusal is about its own call. An earlier one under the number may have moved the money all the same, and
 * an amount that is given free in error is paid twice: so the refund is asked about first.
 */
export async function unlessMade(
  query: () => Promise<RefundQueryOutcome>,
  refused: RefundOutcome,
): Promise<RefundOutcome> {
  const asked = await query()
  switch (asked.kind) {
    case 'found':
      return { kind: 'answered', facts: asked.facts }
    case 'absent':
      return refused
    case 'unknown':
      return asked
    default:
      return unreachable(asked)
  }
}

/**
 * Makes a call that is made once, and knows when not a byte of it was sent: then its number is as good as
 * before (payment rules, section 4). Taken for unknown, it would wait for a person.
 *
 * `ready` makes the keys that the call needs; it throws `ChannelUnavailable` when they have ended.
 */
export async function submitOnce(
  ready: () => Promise<unknown>,
  submit: () => Promise<RefundOutcome>,
): Promise<RefundOutcome> {
  try {
    await ready()
  } catch (error) {
    if (error instanceof ChannelUnavailable) return { kind: 'not_executed', code: 'NO_VALID_KEY' }
    throw error
  }
  const outcome = await submit()
  return outcome.kind === 'unknown' && outcome.cause === HOST_REFUSED
    ? { kind: 'not_executed', code: 'HOST_REFUSED' }
    : outcome
}

/** The one cause of "no answer" after which our own side is sure that it called nobody. */
const HOST_REFUSED: NoAnswerCause = 'host_refused'
