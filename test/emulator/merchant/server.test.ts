import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { Webhook } from 'standardwebhooks'

import { parseJson } from '../config.ts'
import type { Merchant } from './server.ts'
import { startMerchant } from './server.ts'

const SECRET = `whsec_${Buffer.from('a merchant who keeps secrets').toString('base64')}`
const OTHER = `whsec_${Buffer.from('of somebody else').toString('base64')}`

let merchant: Merchant

beforeAll(async () => {
  merchant = await startMerchant()
})

beforeEach(() => {
  merchant.setSecrets([SECRET])
  merchant.setKnobs({ mode: 'ok' })
})

afterAll(() => merchant.stop())

function headersOf(id: string, body: string, secret = SECRET, at = new Date()) {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  }
}

const send = (id: string, init: RequestInit = {}): Promise<Response> => {
  const body = '{"type":"payment.paid"}'
  return fetch(merchant.url, {
    method: 'POST',
    redirect: 'manual',
    headers: headersOf(id, body),
    body,
    ...init,
  })
}

const judged = (id: string) =>
  merchant.arrivals().flatMap((item) => (item.id === id ? [item.judgement] : []))

describe('the merchant', () => {
  test('takes what is signed as the standardwebhooks package signs', async () => {
    expect((await send('e1')).status).toBe(204)
    expect(judged('e1')).toEqual(['genuine'])
    await send('e1')
    expect(merchant.accepted().filter(({ id }) => id === 'e1').length).toBe(1)
  })

  test.each([
    ['another secret', headersOf('e2', '{}', OTHER), 'signature'],
    ['another body', headersOf('e2', '{"type":"other"}'), 'signature'],
    ['six minutes ago', headersOf('e2', '{}', SECRET, new Date(Date.now() - 360_000)), 'stale'],
    ['nothing', {}, 'headers'],
  ] as const)(
    'sees through a message that is signed with %s',
    async (_what, headers, judgement) => {
      await send('e2', { headers, body: '{}' })
      expect(merchant.arrivals().at(-1)?.judgement).toBe(judgement)
      expect(merchant.accepted().some(({ id }) => id === 'e2')).toBe(false)
    },
  )

  test.each([
    [{ mode: 'status', status: 503 }, 503],
    [{ mode: 'redirect', location: '/x' }, 302],
  ] as const)('answers as its panel says: %p', async (knobs, status) => {
    merchant.setKnobs(knobs)
    expect((await send('e3')).status).toBe(status)
  })

  test.each(['close', 'close_in_body'] as const)('cuts the connection: %s', async (mode) => {
    merchant.setKnobs({ mode })
    const answer = send('e4').then((response) => response.text())
    expect(await answer.catch(() => 'cut')).toBe('cut')
  })

  test('hangs until its panel is turned', async () => {
    merchant.setKnobs({ mode: 'hang' })
    const answer = send('e5').catch(() => 'cut')
    await merchant.waitForArrivals((list) => list.some(({ id }) => id === 'e5'))
    merchant.setKnobs({ mode: 'ok' })
    expect(await answer).toBe('cut')
  })

  test('pours a body without an end', async () => {
    merchant.setKnobs({ mode: 'endless' })
    const response = await send('e6')
    const reader = response.body?.getReader()
    let bytes = 0
    while (bytes < 1_000_000) bytes += (await reader?.read())?.value?.length ?? 0
    await reader?.cancel()
    expect(response.status).toBe(200)
  })

  test('stops after as many times as told, and meets only the type it is told', async () => {
    merchant.setKnobs({ mode: 'status', times: 1, only: 'payment.paid' })
    expect((await send('e7', { headers: {}, body: '{"type":"refund.refused"}' })).status).toBe(204)
    expect((await send('e7')).status).toBe(500)
    expect((await send('e7')).status).toBe(204)
  })

  test('is turned over HTTP', async () => {
    const control = (path: string, body: string) =>
      fetch(new URL(`/_control/${path}`, merchant.url), { method: 'POST', body })
    expect((await control('knobs', '{"mode":"status","status":404}')).status).toBe(200)
    expect((await send('e8')).status).toBe(404)
    expect((await control('knobs', '{"mode":"tired"}')).status).toBe(400)
    const answer = await control('secrets', JSON.stringify({ secrets: [SECRET, OTHER] }))
    expect(parseJson(await answer.text())).toEqual({ secrets: 2 })
  })
})
