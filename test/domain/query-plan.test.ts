import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { QUERY_DAYS_MAX, planQuery } from '#domain/query-plan'
import type { QueryPlanInput } from '#domain/query-plan'
import { addMs } from '#domain/time'

const SECOND = 1000
const DAY = 86_400 * SECOND
const created = new Date('2026-03-14T06:00:00Z')
const PACE = [15, 45, 120, 300, 600, 1800]
const MARGIN = 60

const input: QueryPlanInput = {
  state: 'pending',
  createdAt: created,
  expiresAt: addMs(created, 900 * SECOND),
  now: created,
  paceSeconds: PACE,
  marginSeconds: MARGIN,
}

const at = (seconds: number): QueryPlanInput => ({
  ...input,
  now: addMs(created, seconds * SECOND),
})

describe('planQuery', () => {
  // Design, section 6: 15 s, 45 s, 2, 5, 10, 30 min, at expiry, then daily.
  test.each([
    [0, 15],
    [14, 15],
    [15, 45],
    [45, 120],
    [120, 300],
    [300, 600],
    // Expiry at 900 s and the margin come before 1800 s.
    [600, 960],
    [959, 960],
    [960, 960 + 86_400],
  ])('%p s after creation the next one is at %p s', (now, next) => {
    expect(planQuery(at(now))).toEqual({ kind: 'at', at: addMs(created, next * SECOND) })
  })

  test('a long deadline uses the whole pace before it', () => {
    const long = { ...at(600), expiresAt: addMs(created, DAY) }
    expect(planQuery(long)).toEqual({ kind: 'at', at: addMs(created, 1800 * SECOND) })
    expect(planQuery({ ...long, now: addMs(created, 1800 * SECOND) })).toEqual({
      kind: 'at',
      at: addMs(created, DAY + MARGIN * SECOND),
    })
  })

  test('OR-14 after the last day an open payment is given up to a person, a closed one rests', () => {
    const end = addMs(created, (960 + QUERY_DAYS_MAX * 86_400) * SECOND)
    expect(planQuery({ ...input, now: end })).toEqual({ kind: 'give_up' })
    expect(planQuery({ ...input, state: 'created', now: end })).toEqual({ kind: 'give_up' })
    expect(planQuery({ ...input, state: 'closed', now: end })).toEqual({ kind: 'rest' })
    expect(planQuery({ ...input, now: addMs(end, -1) }).kind).toBe('at')
  })

  test('a closed payment is asked about daily: late money must not hang on a callback', () => {
    expect(planQuery({ ...at(20), state: 'closed' })).toEqual({
      kind: 'at',
      at: addMs(created, 20 * SECOND + DAY),
    })
  })

  test('a paid payment rests', () => {
    expect(planQuery({ ...input, state: 'paid' })).toEqual({ kind: 'rest' })
  })

  test('the next time is always ahead, and an open payment always has one or a person', () => {
    fc.assert(
      fc.property(fc.nat(20 * 86_400), fc.constantFrom('created', 'pending'), (seconds, state) => {
        const plan = planQuery({ ...at(seconds), state })
        if (plan.kind === 'at') expect(plan.at.getTime()).toBeGreaterThan(at(seconds).now.getTime())
        else expect(plan.kind).toBe('give_up')
      }),
    )
  })

  test('following the plan ends within the days, in few steps', () => {
    let { now } = input
    let steps = 0
    for (let plan = planQuery(input); plan.kind === 'at'; plan = planQuery({ ...input, now })) {
      now = plan.at
      steps += 1
    }
    expect(steps).toBe(PACE.length - 1 + 1 + QUERY_DAYS_MAX)
  })
})
