import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { parseJson } from '../config.ts'
import type { PointsService } from './server.ts'
import { startPointsService } from './server.ts'

const folder = mkdtempSync(join(tmpdir(), 'points-'))
const databasePath = join(folder, 'points.sqlite')
let service: PointsService

beforeAll(() => {
  service = startPointsService({ databasePath })
})

beforeEach(() => {
  service.setKnobs({ mode: 'ok' })
})

afterAll(async () => {
  await service.stop()
  rmSync(folder, { recursive: true })
})

interface Answer {
  readonly status: number
  readonly value: unknown
}

async function call(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(service.url + path, { redirect: 'manual', ...init, method })
  return { status: response.status, value: parseJson(await response.text()) }
}

const put = (path: string, user_id: string, points: unknown): Promise<Answer> =>
  call('PUT', path, { body: JSON.stringify({ user_id, points }) })

const applied = (key: string) => service.effects().filter((effect) => effect.key === key)

describe('points', () => {
  test('are granted once per key, however often it is asked', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => put('/grant/o1', 'ann', 100)))
    const stored = { key: 'o1', user_id: 'ann', points: 100 }
    expect(answers).toEqual(Array(3).fill({ status: 200, value: stored }))
    expect(await call('GET', '/grant/o1')).toEqual({ status: 200, value: stored })
    expect(applied('o1')).toMatchObject([{ kind: 'grant', ...stored, applied_count: 1 }])
    expect((await call('GET', '/users/ann')).value).toEqual({ user_id: 'ann', balance: 100 })
  })

  test.each([
    ['ann', 99],
    ['bob', 100],
  ])('refuses the same key for %s and %d', async (userId, points) => {
    await put('/grant/o2', 'ann', 100)
    const answer = await put('/grant/o2', userId, points)
    expect(answer).toMatchObject({ status: 409, value: { user_id: 'ann', points: 100 } })
    expect(service.balance('bob')).toBe(0)
  })

  test('are taken back under a key of their own, and never below zero', async () => {
    await put('/grant/o3', 'cid', 50)
    expect(await put('/revoke/o3', 'cid', 51)).toMatchObject({ status: 422 })
    expect(await call('GET', '/revoke/o3')).toMatchObject({ status: 404 })
    expect(await put('/revoke/o3', 'cid', 50)).toMatchObject({ status: 200 })
    expect(await put('/revoke/o3', 'cid', 50)).toMatchObject({ status: 200 })
    expect(service.balance('cid')).toBe(0)
  })

  test.each([-1, 1.5, '1', null])('refuses %p as points', async (points) => {
    expect((await put('/grant/bad', 'ann', points)).status).toBe(400)
    expect(applied('bad')).toEqual([])
  })

  test('outlive the process', async () => {
    await put('/grant/o4', 'dan', 7)
    const second = startPointsService({ databasePath })
    expect(second.balance('dan')).toBe(7)
    await second.stop()
  })
})

describe('the fault panel', () => {
  test.each([
    ['error_500', 500, 0],
    ['down', 503, 0],
    ['redirect', 302, 0],
    ['html', 200, 0],
    ['commit_then_500', 500, 1],
    ['wrong_amount', 200, 1],
    ['wrong_user', 200, 1],
    ['error_200', 200, 0],
    ['claims_duplicate', 409, 0],
    ['commit_then_409', 409, 1],
    ['too_many', 429, 0],
    ['ignores_key', 200, 1],
  ] as const)('%s answers %d and applies %d', async (mode, status, count) => {
    service.setKnobs({ mode })
    const answer = await put(`/grant/${mode}`, 'eve', 5)
    expect(answer.status).toBe(status)
    if (mode === 'wrong_amount') expect(answer.value).toMatchObject({ points: 6 })
    if (mode === 'html') expect(answer.value).toBeUndefined()
    expect(applied(mode).length).toBe(count)
  })

  test.each([
    ['hang', 0],
    ['commit_then_timeout', 1],
  ] as const)('%s never answers and applies %d', async (mode, count) => {
    const path = `/grant/${mode}`
    service.setKnobs({ mode })
    const patience = new AbortController()
    const init = { body: '{"user_id":"eve","points":5}', signal: patience.signal }
    const lost = call('PUT', path, init).catch(() => 'hung up')
    await service.waitForArrivals((paths) => paths.includes(path))
    patience.abort()
    expect(await lost).toBe('hung up')
    await service.waitForRequests((log) => log.some((entry) => entry.path === path))
    expect(applied(mode).length).toBe(count)
  })

  test('stops after as many times as told, and meets only the kind it is told', async () => {
    service.setKnobs({ mode: 'error_500', times: 1, only: 'revoke' })
    expect((await put('/grant/o5', 'fay', 5)).status).toBe(200)
    expect((await put('/revoke/o5', 'fay', 5)).status).toBe(500)
    expect((await put('/revoke/o5', 'fay', 5)).status).toBe(200)
  })

  test('is turned over HTTP', async () => {
    const knobs = { body: '{"mode":"down","times":2}' }
    expect((await call('POST', '/_control/knobs', knobs)).value).toEqual({ mode: 'down', times: 2 })
    expect((await call('POST', '/_control/knobs', { body: '{"mode":"tired"}' })).status).toBe(400)
    expect((await call('GET', '/_control/effects')).value).toMatchObject({
      effects: expect.any(Array),
      requests: expect.any(Number),
    })
  })
})
