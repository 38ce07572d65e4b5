import { describe, expect, test } from 'bun:test'
import { newMerchantId, newOrderId, newPointsGrantId } from '#domain/id'
import type { GrantRow } from '#db/points'
import { createPointsClient } from '#worker/points-client'

// What the points system's own emulator never says: other answers than its own.

const grant: GrantRow = {
  merchant_id: newMerchantId(),
  id: newPointsGrantId(),
  order_id: newOrderId(),
  refund_id: null,
  kind: 'grant',
  state: 'sent',
  user_id: 'user-1',
  points: 19n,
  idempotency_key: 'grant-1',
  due_at: null,
  created_at: new Date(),
}

async function askOne(answer: () => Response) {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer })
  try {
    const client = createPointsClient(`http://127.0.0.1:${server.port}`)
    return await client.send(grant, new AbortController().signal)
  } finally {
    await server.stop(true)
  }
}

const stored = (values: object) => () => Response.json(values)

describe('an answer of the points system', () => {
  test('with the values that we asked for is done', async () => {
    expect((await askOne(stored({ user_id: 'user-1', points: 19 }))).kind).toBe('done')
  })

  test.each([
    { user_id: 'user-2', points: 19 },
    { user_id: 'user-1', points: 18 },
    { user_id: 'user-1', points: '19' },
  ])('with other values is refused: %p', async (values) => {
    expect((await askOne(stored(values))).kind).toBe('refused')
  })

  test.each(['<html>welcome</html>', '', '[]', '{}', 'null', '"granted"'])(
    'that is not the stored grant is unknown, never success: %p',
    async (text) => {
      expect((await askOne(() => new Response(text))).kind).toBe('unknown')
    },
  )

  test.each([301, 404, 429, 500, 503])('with status %i is unknown', async (status) => {
    const headers = { location: 'http://127.0.0.1:9/elsewhere' }
    expect((await askOne(() => new Response('', { status, headers }))).kind).toBe('unknown')
  })
})

describe('no answer of the points system', () => {
  test('because nobody listens is unknown', async () => {
    const client = createPointsClient('http://127.0.0.1:9')
    const outcome = await client.send(grant, new AbortController().signal)
    expect(outcome.kind).toBe('unknown')
  })

  test('because the worker stops meanwhile is unknown', async () => {
    const stopping = new AbortController()
    stopping.abort()
    const client = createPointsClient('http://127.0.0.1:9')
    expect((await client.send(grant, stopping.signal)).kind).toBe('unknown')
  })
})
