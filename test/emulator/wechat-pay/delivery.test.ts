import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { FORGERIES } from './forge.ts'
import type { TestMerchant } from './merchant.ts'
import { startTestMerchant } from './merchant.ts'

const deliveryLogPath = join(mkdtempSync(join(tmpdir(), 'emulator-')), 'deliveries.jsonl')
let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ deliveryLogPath })
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

async function payNew(outTradeNo: string): Promise<string> {
  await merchant.prepay(outTradeNo)
  const result = merchant.emulator.pay(outTradeNo)
  if (result.kind !== 'paid') throw new Error(`expected paid, got ${result.reason}`)
  await result.done
  return result.eventId
}

const receivedOf = (eventId: string) =>
  merchant.received.filter((callback) => callback.eventId === eventId)

const deliveriesOf = (eventId: string) =>
  merchant.emulator.deliveries().filter((delivery) => delivery.eventId === eventId)

describe('delivery', () => {
  test('sends a genuine callback that opens to the paid order', async () => {
    const eventId = await payNew('DELIVER1')
    const [callback, ...others] = receivedOf(eventId)
    expect(others).toEqual([])
    expect(callback?.isGenuine).toBe(true)
    expect(callback?.headers.get('user-agent')).toBe('Mozilla/4.0')
    expect(callback?.order).toMatchObject({ out_trade_no: 'DELIVER1', trade_state: 'SUCCESS' })
  })

  test('repeats until 200, each time signed afresh, with the same event id', async () => {
    merchant.answerWith(500, 401, 302, 201, 200)
    const eventId = await payNew('DELIVER2')
    const callbacks = receivedOf(eventId)
    expect(callbacks.map(({ isGenuine }) => isGenuine)).toEqual(Array(5).fill(true))
    const nonces = callbacks.map(({ headers }) => headers.get('wechatpay-nonce'))
    expect(new Set(nonces).size).toBe(5)
    expect(new Set(callbacks.map(({ body }) => body)).size).toBe(5)
    const log = deliveriesOf(eventId)
    expect(log.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5])
    expect(log.map(({ status }) => status)).toEqual([500, 401, 302, 201, 200])
    expect(log.map(({ acknowledged }) => acknowledged)).toEqual([false, false, false, false, true])
  })

  test('writes its log to a file as well', async () => {
    const eventId = await payNew('DELIVER3')
    const lines = readFileSync(deliveryLogPath, 'utf8').trimEnd().split('\n')
    const last: unknown = JSON.parse(lines.at(-1) ?? '')
    expect(last).toMatchObject({ eventId, outcome: 'acknowledged' })
    expect(lines.length).toBe(merchant.emulator.deliveries().length)
  })

  test('sends an event again when asked', async () => {
    const eventId = await payNew('DELIVER4')
    await merchant.emulator.resend('DELIVER4')
    expect(receivedOf(eventId).length).toBe(2)
  })

  test('signs with both keys in turn during the migration', async () => {
    merchant.emulator.setKnobs({ callbackKey: 'mixed' })
    merchant.answerWith(500)
    const callbacks = receivedOf(await payNew('DELIVER5'))
    const serials = callbacks.map(({ headers }) => headers.get('wechatpay-serial') ?? '')
    const { publicKeyId, certificateSerial } = merchant.keys.vendor
    expect(serials.toSorted()).toEqual([publicKeyId, certificateSerial].toSorted())
    expect(callbacks.every(({ isGenuine }) => isGenuine)).toBe(true)
  })
})

describe('what goes wrong on the way', () => {
  test('calls a merchant unknown who does not answer', async () => {
    const lonely = await startTestMerchant({ retryDelaysMs: [] })
    const sent = await lonely.emulator.sendCallback({
      url: 'http://127.0.0.1:9/notify',
      plaintext: {},
    })
    expect(sent).toMatchObject({ outcome: 'unknown', status: null, acknowledged: false })
    await lonely.stop()
  })

  test('gives up on an answer that comes too late', async () => {
    const release = Promise.withResolvers<void>()
    const slow = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async () => {
        await release.promise
        return new Response('late')
      },
    })
    const impatient = await startTestMerchant({ retryDelaysMs: [], answerWithinMs: 20 })
    const url = `http://127.0.0.1:${slow.port}/`
    const sent = await impatient.emulator.sendCallback({ url, plaintext: {} })
    expect(sent).toMatchObject({ outcome: 'unknown', status: null })
    release.resolve()
    await impatient.stop()
    await slow.stop(true)
  })

  test('loses sends, and repeats them', async () => {
    merchant.emulator.setKnobs({ dropCallbacks: 2 })
    const eventId = await payNew('WRONG001')
    const outcomes = deliveriesOf(eventId).map(({ outcome }) => outcome)
    expect(outcomes).toEqual(['dropped', 'dropped', 'acknowledged'])
    expect(receivedOf(eventId).length).toBe(1)
  })

  test('loses an event for ever', async () => {
    merchant.emulator.setKnobs({ dropCallbacks: 1, dropForever: true })
    expect(receivedOf(await payNew('WRONG002'))).toEqual([])
  })

  test.each(['parallel', 'sequence'] as const)('sends copies in %s', async (duplicateOrder) => {
    merchant.emulator.setKnobs({ duplicate: 3, duplicateOrder })
    const eventId = await payNew(`WRONG_${duplicateOrder}`)
    expect(receivedOf(eventId).length).toBe(3)
  })

  test('sends the last event first', async () => {
    merchant.emulator.setKnobs({ reorder: 3 })
    const numbers = ['WRONG101', 'WRONG102', 'WRONG103']
    for (const outTradeNo of numbers) {
      await merchant.prepay(outTradeNo)
      merchant.emulator.pay(outTradeNo)
    }
    await merchant.emulator.idle()
    const sent = merchant.emulator.deliveries().slice(-3)
    expect(sent.map(({ orderNumber }) => orderNumber)).toEqual(numbers.toReversed())
  })

  test('claims a wrong amount once, with a genuine signature', async () => {
    merchant.emulator.setKnobs({ wrongAmount: -1 })
    const [wrong] = receivedOf(await payNew('WRONG201'))
    const [right] = receivedOf(await payNew('WRONG202'))
    expect(wrong).toMatchObject({ isGenuine: true, order: { amount: { total: 9_999 } } })
    expect(right).toMatchObject({ isGenuine: true, order: { amount: { total: 10_000 } } })
  })

  test('signs with a wrong key, then probes, then speaks the truth', async () => {
    merchant.emulator.setKnobs({ wrongKey: 1, probe: 1 })
    merchant.answerWith(401, 401, 200)
    const eventId = await payNew('WRONG301')
    expect(deliveriesOf(eventId).map(({ kind }) => kind)).toEqual(['forged', 'probe', 'genuine'])
    const callbacks = receivedOf(eventId)
    expect(callbacks.map(({ isGenuine }) => isGenuine)).toEqual([false, false, true])
    const probe = callbacks[1]?.headers.get('wechatpay-signature')
    expect(probe).toStartWith('WECHATPAY/SIGNTEST/')
    expect(probe?.length).toBe(355)
  })

  test.each(FORGERIES)('makes a forgery: %s', async (forgery) => {
    const outTradeNo = `FORGE_${forgery}`
    await merchant.prepay(outTradeNo)
    const sent = await merchant.emulator.forge({ forgery, outTradeNo, amount: 1 })
    expect(sent).toMatchObject({ kind: 'forged', orderNumber: outTradeNo })
    const callback = merchant.received.at(-1)
    const ageSeconds = Date.now() / 1000 - Number(callback?.headers.get('wechatpay-timestamp'))
    const isBelievable =
      callback?.isGenuine === true && callback.order !== undefined && ageSeconds < 300
    expect(isBelievable).toBe(false)
    expect(merchant.emulator.order(outTradeNo)?.state).toBe('NOTPAY')
  })

  test('stops in the middle of its repeats', async () => {
    const patient = await startTestMerchant({ timeScale: 1 })
    patient.answerWith(500)
    await patient.prepay('STOPPED1')
    const result = patient.emulator.pay('STOPPED1')
    if (result.kind === 'paid') await result.first
    await patient.stop()
    expect(patient.emulator.deliveries().length).toBe(1)
  })
})
