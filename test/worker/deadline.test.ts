import { expect, test } from 'bun:test'
import { heapStats } from 'bun:jsc'
import { startDeadline } from '#worker/deadline'
import { waitFor } from '../support/wait.ts'

const LONG_MS = 60_000

test('aborts after the time-out, with the name that callers report', async () => {
  const { signal } = startDeadline(1)
  await waitFor('the time-out', () => (signal.aborted ? true : undefined))
  expect(signal.reason).toMatchObject({ name: 'TimeoutError' })
})

test('aborts with whoever stops the caller, also when that was before', () => {
  const stop = new AbortController()
  const running = startDeadline(LONG_MS, stop.signal)
  expect(running.signal.aborted).toBe(false)
  stop.abort(new Error('the worker stops'))
  expect(running.signal.reason).toEqual(new Error('the worker stops'))
  expect(startDeadline(LONG_MS, stop.signal).signal.aborted).toBe(true)
})

test('a call that has ended is neither aborted later nor kept until its time-out', () => {
  const stop = new AbortController()
  const signals = (): number => heapStats().objectTypeCounts['AbortSignal'] ?? 0
  const ended = startDeadline(LONG_MS, stop.signal)
  ended.end()
  Bun.gc(true)
  const before = signals()
  for (let call = 0; call < 1000; call += 1) startDeadline(LONG_MS, stop.signal).end()
  Bun.gc(true)
  expect(signals() - before).toBeLessThan(100)
  stop.abort()
  expect(ended.signal.aborted).toBe(false)
})
