import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'

import type { CallbackEvent, Courier } from './courier.ts'
import type { Campaign } from './delivery-desk.ts'
import type { CommonKnobs } from './knobs.ts'
import { FaultPanel, commonKnobs } from './knobs.ts'
import type { Emulator } from './emulator.ts'
import { EmulatorCore } from './emulator.ts'

/** A vendor that counts: the smallest that the core can carry. */
const panel = new FaultPanel(z.strictObject(commonKnobs))

const courier: Courier<CallbackEvent> = {
  pack: (event, style) => ({
    headers: { 'Content-Type': 'text/plain' },
    body: `${event.eventId} ${style}`,
    kind: style === 'genuine' ? 'genuine' : 'forged',
    keySerial: '1',
  }),
  isAcknowledged: ({ body }) => body === 'fine',
}

let count = 0
let core: EmulatorCore<CommonKnobs, CallbackEvent>
let emulator: Emulator<CommonKnobs, Partial<CommonKnobs>>

beforeAll(() => {
  core = new EmulatorCore({
    options: {},
    panel,
    courier,
    retrySeconds: [1, 1],
    answerWithinMs: 1_000,
  })
  emulator = core.serve(
    {
      answer: ({ path }) => {
        count += 1
        return { response: Response.json({ count, path }), hasCommitted: true, operation: 'count' }
      },
      serverError: () => ({ response: new Response('sorry', { status: 500 }), code: 'SORRY' }),
      isForBuyer: ({ path }) => path === '/buyer',
    },
    {},
  )
})

afterEach(() => {
  emulator.resetKnobs()
})

afterAll(async () => {
  await emulator.stop()
})

const get = (path = '/') => fetch(emulator.url + path)

describe('faults of HTTP', () => {
  test('a hanging request is not handled, and the next one is', async () => {
    emulator.setKnobs({ hangRequests: 1 })
    const before = count
    const patience = new AbortController()
    const seen = emulator.requests().length
    const lost = fetch(emulator.url, { signal: patience.signal }).catch(() => 'hung up')
    while (emulator.setKnobs({}).hangRequests > 0) await fetch(`${emulator.url}/_control/health`)
    patience.abort()
    expect(await lost).toBe('hung up')
    await emulator.waitForRequests((requests) => requests.length > seen)
    expect(count).toBe(before)
    expect((await get()).status).toBe(200)
  })

  test('a cut answer was handled, and does not arrive whole', async () => {
    emulator.setKnobs({ cutAnswers: 1 })
    const before = count
    const arrived = get().then((response) => response.json())
    expect(await arrived.catch(() => 'cut')).toBe('cut')
    expect(count).toBe(before + 1)
  })

  test.each([
    ['status500', 500, ''],
    ['htmlAnswers', 200, '<!doctype html>'],
  ] as const)('%s handles nothing', async (knob, status, text) => {
    emulator.setKnobs({ [knob]: 1 })
    const before = count
    const response = await get()
    expect(response.status).toBe(status)
    expect(await response.text()).toStartWith(text)
    expect(count).toBe(before)
  })

  test('a failure after the commit is in the words of the vendor', async () => {
    emulator.setKnobs({ failAfterCommit: 1 })
    const before = count
    expect(await (await get()).text()).toBe('sorry')
    expect(count).toBe(before + 1)
    expect(emulator.requests().at(-1)).toMatchObject({ status: 500, code: 'SORRY' })
  })

  test('the buyer is spared', async () => {
    emulator.setKnobs({ status500: 1 })
    expect((await get('/buyer')).status).toBe(200)
    expect((await get()).status).toBe(500)
  })
})

describe('an acknowledgement', () => {
  async function deliver(answers: readonly string[], retrySeconds?: number[]): Promise<Campaign> {
    const left = [...answers]
    const shop = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => new Response(left.shift() ?? 'enough'),
    })
    const url = `http://127.0.0.1:${shop.port}/`
    const event = { eventId: crypto.randomUUID(), orderNumber: answers.join(), url }
    const campaign = core.desk.start(retrySeconds ? { ...event, retrySeconds } : event)
    await campaign.done
    await shop.stop(true)
    return campaign
  }

  test('is judged by the vendor, and written down', async () => {
    await deliver(['Fine', 'fine'])
    const log = emulator.deliveriesFor('Fine,fine')
    expect(log.map(({ acknowledged }) => acknowledged)).toEqual([false, true])
    expect(log.map(({ answer }) => answer)).toEqual(['Fine', 'fine'])
  })

  test('is waited for as often as the vendor says, or the event', async () => {
    await deliver(['never'])
    expect(emulator.deliveriesFor('never').length).toBe(3)
    await deliver(['seldom'], [1])
    expect(emulator.deliveriesFor('seldom').length).toBe(2)
  })
})
