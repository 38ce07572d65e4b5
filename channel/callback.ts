import { unreachable } from '#domain/assert'
import { judge } from '#domain/notification'
import type { VerifiedNotification } from '#domain/notification'
import type { Answer, CallbackReading, Channel, RawCallback } from './channel.ts'

/** Stores a notification. Resolves only after the commit; `StoreUnavailable` when it is not durable. */
export type StoreNotification = (
  notification: VerifiedNotification,
  callback: RawCallback,
) => Promise<void>

export type RejectedReading = Extract<CallbackReading, { kind: 'rejected' }>

/** Takes a refused callback, so that "signature failed" can be explained. Must not throw. */
export type OnRejected = (reading: RejectedReading, callback: RawCallback) => void

/** Hears what is about to be answered, for figures. Must not throw. */
export type OnAnswer = (answer: Answer) => void

/** Nothing was committed: the vendor must send the callback again. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

/**
 * The one way a callback enters the system: verify, read, judge, store, acknowledge.
 *
 * The vendor hears "success" only after the row and its queue jobs are committed. Not durable means its
 * failure answer, and it sends the callback again; so does any other exception, which is a bug of ours.
 */
export async function receiveCallback(
  channel: Channel,
  callback: RawCallback,
  store: StoreNotification,
  onRejected?: OnRejected,
  onAnswer?: OnAnswer,
): Promise<Response> {
  const answer = await decideAnswer(channel, callback, store, onRejected)
  onAnswer?.(answer)
  return channel.acknowledge(answer)
}

async function decideAnswer(
  channel: Channel,
  callback: RawCallback,
  store: StoreNotification,
  onRejected: OnRejected | undefined,
): Promise<Answer> {
  const reading = await channel.readCallback(callback)
  switch (reading.kind) {
    case 'rejected':
      onRejected?.(reading, callback)
      return 'rejected'
    case 'verified':
      return storeAndJudge(reading.notification, () => store(reading.notification, callback))
    default:
      return unreachable(reading)
  }
}

async function storeAndJudge(
  notification: VerifiedNotification,
  store: () => Promise<void>,
): Promise<Answer> {
  try {
    await store()
  } catch (error) {
    if (error instanceof StoreUnavailable) return 'unavailable'
    throw error
  }
  return judge(notification) === 'failed' ? 'refused' : 'stored'
}
