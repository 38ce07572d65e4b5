import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import type { TestMerchant } from './merchant.ts'
import { MCHID, prepayBody, startTestMerchant } from './merchant.ts'

let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant()
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

const query = (outTradeNo: string, signal?: AbortSignal) =>
  merchant.call('GET', `/v3/pay/transactions/out-trade-no/${outTradeNo}?mchid=${MCHID}`, {
    ...(signal !== undefined && { signal }),
  })

describe('the fault panel of the API', () => {
  test('keeps silent until it is released, and does not act for one who hung up', async () => {
    merchant.emulator.setKnobs({ silence: true })
    const patience = new AbortController()
    const lost = query('SILENT01', patience.signal).catch(() => 'hung up')
    const kept = query('SILENT02')
    patience.abort()
    expect(await lost).toBe('hung up')
    merchant.emulator.setKnobs({ silence: false })
    expect((await kept).status).toBe(404)
  })

  test('commits and answers 500', async () => {
    merchant.emulator.setKnobs({ failAfterCommit: 1 })
    expect((await merchant.prepay('COMMIT01')).json).toMatchObject({ code: 'SYSTEM_ERROR' })
    expect((await query('COMMIT01')).status).toBe(200)
  })

  test('commits and never answers', async () => {
    merchant.emulator.setKnobs({ silenceAfterCommit: 1 })
    const patience = new AbortController()
    const body = prepayBody('COMMIT02', merchant.notifyUrl)
    const call = { body, signal: patience.signal }
    const lost = merchant.call('POST', '/v3/pay/transactions/native', call).catch(() => 'hung up')
    while (merchant.emulator.order('COMMIT02') === undefined) await query('COMMIT02')
    patience.abort()
    expect(await lost).toBe('hung up')
    const closing = await merchant.emulator.waitForRequests((requests) =>
      requests.some(({ status }) => status === null),
    )
    expect(closing.length).toBeGreaterThan(0)
  })

  test('throttles', async () => {
    merchant.emulator.setKnobs({ status429: 1 })
    expect((await query('LIMIT001')).status).toBe(429)
    expect((await query('LIMIT001')).status).toBe(404)
  })

  test('reports a state that nobody knows', async () => {
    await merchant.prepay('STRANGE1')
    merchant.emulator.setKnobs({ unknownTradeState: 'LEVITATING' })
    expect((await query('STRANGE1')).json).toMatchObject({ trade_state: 'LEVITATING' })
  })

  test('lets the callback overtake the answer of the prepay', async () => {
    merchant.emulator.setKnobs({ callbackBeforeAnswer: true })
    const answer = await merchant.prepay('OVERTAKE')
    expect(answer.status).toBe(200)
    expect(merchant.received.at(-1)?.order).toMatchObject({ out_trade_no: 'OVERTAKE' })
  })
})

describe('the control panel over HTTP', () => {
  const control = async (method: string, name: string, body?: unknown) => {
    const response = await fetch(`${merchant.emulator.url}/_control/${name}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const value: unknown = await response.json()
    return { status: response.status, value }
  }

  test('pays, shows orders and the log', async () => {
    await merchant.prepay('CONTROL1')
    const paid = await control('POST', 'pay', { outTradeNo: 'CONTROL1', payerTotal: 9_000 })
    expect(paid).toMatchObject({ status: 200, value: { kind: 'paid' } })
    await merchant.emulator.idle()
    const { value } = await control('GET', 'log')
    expect(value).toMatchObject({ requests: expect.any(Array), deliveries: expect.any(Array) })
    expect(merchant.emulator.deliveries().at(-1)).toMatchObject({
      orderNumber: 'CONTROL1',
      acknowledged: true,
    })
    expect((await control('GET', 'orders')).value).toMatchObject({
      orders: expect.arrayContaining([
        expect.objectContaining({ out_trade_no: 'CONTROL1', trade_state: 'SUCCESS' }),
      ]),
    })
    const refund = await control('POST', 'refund-state', { outTradeNo: 'CONTROL1' })
    expect(refund.status).toBe(200)
    expect(merchant.emulator.order('CONTROL1')?.state).toBe('REFUND')
  })

  test('turns knobs and refuses those that do not exist', async () => {
    const turned = await control('POST', 'knobs', { delayMs: 5, wrongKey: true })
    expect(turned.value).toMatchObject({ delayMs: 5 })
    expect((await control('POST', 'knobs', { gravity: 1 })).status).toBe(400)
    expect((await control('DELETE', 'knobs')).value).toMatchObject({ delayMs: 0, wrongKey: 0 })
  })

  test('forges and sends what it is told', async () => {
    await merchant.prepay('CONTROL2')
    const forged = await control('POST', 'forge', { forgery: 'unsigned', outTradeNo: 'CONTROL2' })
    expect(forged.value).toMatchObject({ kind: 'forged' })
    expect(merchant.received.at(-1)?.isGenuine).toBe(false)
    const url = merchant.notifyUrl
    const plaintext = { trade_state: 'PAYERROR' }
    const sent = await control('POST', 'callback', { url, plaintext, eventId: 'EV-1' })
    expect(sent.value).toMatchObject({ kind: 'genuine', eventId: 'EV-1', acknowledged: true })
    expect(merchant.received.at(-1)).toMatchObject({ isGenuine: true, order: plaintext })
  })
})
