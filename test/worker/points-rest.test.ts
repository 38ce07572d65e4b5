import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { GrantRow } from '#db/points/points'
import { newMerchantId, newOrderId, newPointsGrantId } from '#domain/id'
import { addMs } from '#domain/time'
import { createPointsClient } from '#worker/points-client'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { standingClock } from './event-desk.ts'

const SECOND = 1000

let service: PointsService

beforeAll(() => {
  service = startPointsService({ databasePath: ':memory:' })
})

beforeEach(() => {
  service.setKnobs({ mode: 'ok' })
})

afterAll(() => service.stop())

function open() {
  const clock = standingClock()
  const client = createPointsClient({ baseUrl: service.url, clock })
  const before = service.requests().length
  const send = () => client.send(grant(), new AbortController().signal)
  return { clock, client, send, calls: () => service.requests().length - before }
}

const grant = (): GrantRow => ({
  merchant_id: newMerchantId(),
  id: newPointsGrantId(),
  order_id: newOrderId(),
  refund_id: null,
  kind: 'grant',
  state: 'sent',
  user_id: 'user-1',
  points: 1n,
  idempotency_key: crypto.randomUUID(),
  due_at: null,
  created_at: new Date(),
})

describe('F103 a points system that asks for less', () => {
  test('429 with Retry-After is respected: not one call before', async () => {
    const { clock, client, send, calls } = open()
    service.setKnobs({ mode: 'too_many', retryAfter: '120' })
    expect((await send()).kind).toBe('unknown')
    const until = addMs(clock.now(), 120 * SECOND)
    expect(client.restsUntil()).toEqual(until)
    clock.pass(119 * SECOND)
    for (let again = 0; again < 50; again += 1) {
      expect(await send()).toEqual({ kind: 'resting', until })
    }
    expect(calls()).toBe(1)
    clock.pass(SECOND)
    service.setKnobs({ mode: 'ok' })
    expect(client.restsUntil()).toBeUndefined()
    expect((await send()).kind).toBe('done')
  })

  test('Retry-After may be a date, counted from the date of the answer', async () => {
    const { clock, client, send } = open()
    const date = new Date(Date.now() + 600 * SECOND).toUTCString()
    service.setKnobs({ mode: 'too_many', retryAfter: date })
    await send()
    const restMs = (client.restsUntil()?.getTime() ?? 0) - clock.now().getTime()
    expect(Math.abs(restMs - 600 * SECOND)).toBeLessThanOrEqual(5 * SECOND)
  })

  test.each(['a while', '-5', '', 'Thu, 01 Jan 1970 00:00:00 GMT'])(
    'a Retry-After that says nothing is none: %p',
    async (retryAfter) => {
      const { client, send } = open()
      service.setKnobs({ mode: 'too_many', retryAfter })
      await send()
      expect(client.restsUntil()).toBeUndefined()
    },
  )

  test('and never longer than an hour', async () => {
    const { clock, client, send } = open()
    service.setKnobs({ mode: 'too_many', retryAfter: '999999' })
    await send()
    expect(client.restsUntil()).toEqual(addMs(clock.now(), 3600 * SECOND))
  })
})

describe('F96 F103 the breaker', () => {
  test('five failures in a row, and it rests, each time twice as long, up to a minute', async () => {
    const { clock, client, send, calls } = open()
    service.setKnobs({ mode: 'down' })
    const rests: number[] = []
    for (let call = 1; call <= 13; call += 1) {
      expect((await send()).kind).toBe('unknown')
      const until = client.restsUntil()
      if (until === undefined) continue
      rests.push((until.getTime() - clock.now().getTime()) / SECOND)
      expect((await send()).kind).toBe('resting')
      clock.set(until)
    }
    expect(rests).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
    expect(calls()).toBe(13)
  })

  test('one call finds out whether it is well again, and a success ends it', async () => {
    const { clock, client, send, calls } = open()
    service.setKnobs({ mode: 'down' })
    for (let call = 0; call < 5; call += 1) await send()
    clock.pass(SECOND)
    service.setKnobs({ mode: 'ok' })
    const probe = send()
    const beside = await Promise.all([send(), send(), send()])
    expect(beside.map(({ kind }) => kind)).toEqual(['resting', 'resting', 'resting'])
    expect((await probe).kind).toBe('done')
    expect(client.restsUntil()).toBeUndefined()
    expect(calls()).toBe(6)
    await Promise.all([send(), send()])
    expect(calls()).toBe(8)
  })

  test('what it refuses or answers short is an answer, and no failure', async () => {
    const { client, send } = open()
    service.setKnobs({ mode: 'wrong_amount' })
    for (let call = 0; call < 8; call += 1) expect((await send()).kind).toBe('refused')
    expect(client.restsUntil()).toBeUndefined()
  })
})
