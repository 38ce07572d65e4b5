import { describe, expect, test } from 'bun:test'
import { receiveCallback } from '#channel/callback'
import { judge } from '#domain/notification'
import fixture from '../../fixture/wechat-pay/callback.json'
import { atSecond, contentOf, keyOf, paymentId } from '../support.ts'
import {
  apiv3Key,
  buildChannel,
  callbackOf,
  certificateSerial,
  defaultKeys,
  envelopeOf,
  fixtureHeaders,
  mchid,
  notifiedAt,
  orderOf,
  payment,
  read,
  readPayment,
  seal,
  vendorHeaders,
} from './support.ts'

describe('reading', () => {
  test('reads the payment notification of the dossier (D1)', async () => {
    expect(contentOf(await readPayment())).toEqual({
      eventKey: 'evt:7b0c4b2e-5b0a-5d6a-9a36-0d5f4e0f1c01',
      keySerial: certificateSerial,
      facts: {
        kind: 'payment',
        paymentNumber: 'DEMO20260314000001',
        identity: { mchid: '1900000109', appid: 'wxd678efh567hg6787' },
        vendorState: 'success',
        vendorStateText: 'SUCCESS',
        channelPaymentId: '4200002603202603141234567890',
        amountMinor: 10_000n,
        currency: 'CNY',
        paidAt: new Date('2026-03-14T01:15:02Z'),
      },
    })
  })

  test('wechatpay checklist 62: the refund notice of the dossier (D2) is read from refund_status', async () => {
    const { refund } = fixture
    const built = buildChannel({ at: atSecond(Number(refund.timestamp)) })
    const reading = await read(refund.body, fixtureHeaders(refund), built)
    expect(contentOf(reading).facts).toEqual({
      kind: 'refund',
      paymentNumber: 'DEMO20260314000001',
      refundNumber: 'DEMOR20260314000001',
      identity: { mchid: '1900000109' },
      refundState: 'succeeded',
      refundStateText: 'SUCCESS',
      channelRefundId: '50300002602026031412345678901',
      amountMinor: 3000n,
      refundedAt: expect.any(Date),
    })
  })

  test.each([
    ['REFUND.SUCCESS', 'SUCCESS', 'succeeded'],
    ['REFUND.ABNORMAL', 'ABNORMAL', 'abnormal'],
    ['REFUND.CLOSED', 'CLOSED', 'refused'],
    ['REFUND.SUCCESS', 'NEW_WORD', 'unknown'],
  ])(
    'wechatpay checklist 55: %s with %s is a refund that is %s',
    async (eventType, word, state) => {
      const refund = {
        mchid,
        out_trade_no: paymentId,
        out_refund_no: 'r1',
        refund_id: '503',
        refund_status: word,
        amount: { total: 100, refund: 30, payer_total: 90, payer_refund: 27 },
      }
      const reading = await read(envelopeOf(JSON.stringify(refund), { eventType }))
      expect(contentOf(reading).facts).toMatchObject({
        kind: 'refund',
        refundState: state,
        amountMinor: 30n,
      })
    },
  )

  test('a refund event that holds no refund is kept for a person', async () => {
    const reading = await read(envelopeOf(orderOf(), { eventType: 'REFUND.SUCCESS' }))
    expect(contentOf(reading).facts).toMatchObject({ kind: 'unreadable' })
  })

  test.each(['PAYSCORE.USER_PAID', 'TRANSACTION.FAIL'])(
    'wechatpay checklist 55: %s is other news, whatever the route',
    async (eventType) => {
      const facts = contentOf(await read(envelopeOf(orderOf(), { eventType }))).facts
      expect(facts).toMatchObject({ kind: 'other', eventType })
    },
  )

  test('wechatpay checklist 25: missing, null and empty associated data are the same', async () => {
    const sealed = {
      algorithm: 'AEAD_AES_256_GCM',
      nonce: 'fdasflkja484',
      ciphertext: seal(orderOf(), { data: '' }),
    }
    for (const extra of [{}, { associated_data: null }, { associated_data: '' }]) {
      const body = JSON.stringify({
        id: 'e1',
        event_type: 'TRANSACTION.SUCCESS',
        resource: { ...sealed, ...extra },
      })
      expect(contentOf(await read(body)).facts.kind).toBe('payment')
    }
  })

  test('wechatpay checklist 44: REFUND means paid, and nothing about how much went back', async () => {
    const content = contentOf(await read(envelopeOf(orderOf({ trade_state: 'REFUND' }))))
    expect(content.facts).toMatchObject({ vendorState: 'success', vendorStateText: 'REFUND' })
  })

  test('wechatpay checklist 45: unknown states, products and banks do not raise', async () => {
    const order = orderOf({
      trade_state: 'MELTED',
      trade_type: 'TELEPATHY',
      bank_type: 'MOON_DEBIT',
    })
    const content = contentOf(await read(envelopeOf(order)))
    expect(content.facts).toMatchObject({ vendorState: 'unknown', vendorStateText: 'MELTED' })
  })

  test('wechatpay checklist 52: facts carry all that is compared, and the order total', async () => {
    const content = contentOf(await read(envelopeOf(orderOf())))
    expect(content.facts).toMatchObject({
      identity: { mchid: '1900000109', appid: 'wxd678efh567hg6787' },
      amountMinor: 10_000n,
      currency: 'CNY',
    })
  })

  test('wechatpay checklist 53: an event 24 h 4 min old passes under a fresh signature', async () => {
    const seconds = notifiedAt + 24 * 3600 + 240
    const body = envelopeOf(orderOf())
    const reading = await read(
      body,
      vendorHeaders(body, { seconds }),
      buildChannel({ at: atSecond(seconds) }),
    )
    expect(reading.kind).toBe('verified')
  })

  test('wechatpay checklist 57: a time of payment with fractions parses', async () => {
    const body = envelopeOf(orderOf({ success_time: '2026-03-14T09:15:02.120+08:00' }))
    const paidAt = new Date('2026-03-14T01:15:02.120Z')
    expect(contentOf(await read(body)).facts).toMatchObject({ paidAt })
  })

  test.each([0, -1, 1.5, '100', null, 2 ** 53])('an amount of %p is no amount', async (total) => {
    const content = contentOf(
      await read(envelopeOf(orderOf({ amount: { total, currency: 'CNY' } }))),
    )
    expect(content.facts).not.toHaveProperty('amountMinor')
  })

  test('CB-20: ids of 28 digits survive as text, and as a number they are unreadable', async () => {
    const id = '4200002603202603141234567890'
    const good = contentOf(await read(envelopeOf(orderOf({ transaction_id: id }))))
    expect(good.facts).toMatchObject({ channelPaymentId: id })
    const numeric = orderOf().replace(`"${id}"`, id)
    expect(contentOf(await read(envelopeOf(numeric))).facts.kind).toBe('unreadable')
  })

  test('an older APIv3 key opens what was sealed before the change', async () => {
    const newer = keyOf('symmetric', 'second', 'ffffffff0123456789abcdefffffffff', {
      validFrom: new Date((notifiedAt - 10) * 1000),
    })
    const built = buildChannel({ keys: [...defaultKeys, newer] })
    for (const key of [apiv3Key, newer.value.reveal()]) {
      const body = envelopeOf(orderOf(), { key })
      expect((await read(body, vendorHeaders(body), built)).kind).toBe('verified')
    }
  })

  test.each([
    '{}',
    '[]',
    'null',
    '1',
    '{"id":"x"}',
    '{"id":1,"event_type":"A","resource":{}}',
    '{',
    '<xml/>',
  ])('keeps a genuine message that it cannot read: %s', async (body) => {
    const content = contentOf(await read(body))
    expect(content.facts.kind).toBe('unreadable')
    expect(content.eventKey).toMatch(/^sha:[0-9a-f]{64}$/)
  })

  test('CB-30: JSON nested 300 deep, or 300,000, is unreadable news and no crash', async () => {
    for (const depth of [300, 300_000]) {
      const deep = '['.repeat(depth) + ']'.repeat(depth)
      expect(contentOf(await read(deep)).facts.kind).toBe('unreadable')
      const inner = `{"out_trade_no":${deep}}`
      expect(contentOf(await read(envelopeOf(inner))).facts.kind).toBe('unreadable')
    }
  })

  test('CB-30: an oversize message is unreadable news', async () => {
    const body = JSON.stringify({ id: 'x'.repeat(1_100_000) })
    expect(contentOf(await read(body)).facts.kind).toBe('unreadable')
  })
})

describe('answering', () => {
  test.each([
    ['stored', 200, '{"code":"SUCCESS","message":"成功"}'],
    ['refused', 400, '{"code":"FAIL","message":"失败"}'],
    ['rejected', 401, '{"code":"FAIL","message":"失败"}'],
    ['unavailable', 503, '{"code":"FAIL","message":"失败"}'],
  ] as const)('CB-21: %s is %i and exactly these bytes', async (answer, status, body) => {
    const response = buildChannel().channel.acknowledge(answer)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.text()).toBe(body)
  })

  test('wechatpay checklist 50: FAIL never comes with 2xx', async () => {
    const { channel } = buildChannel()
    for (const answer of ['refused', 'rejected', 'unavailable'] as const) {
      const response = channel.acknowledge(answer)
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(await response.text()).toContain('"FAIL"')
    }
  })

  test('wechatpay checklist 49: success is said only after the commit', async () => {
    const built = buildChannel()
    const order: string[] = []
    const response = await receiveCallback(
      built.channel,
      callbackOf(built, payment.body, fixtureHeaders(payment)),
      async () => {
        await Promise.resolve()
        order.push('committed')
      },
    )
    order.push('answered')
    expect(response.status).toBe(200)
    expect(order).toEqual(['committed', 'answered'])
  })

  test('a payment result other than success is stored and refused, so that it is repeated', async () => {
    const built = buildChannel()
    const body = envelopeOf(orderOf({ trade_state: 'PAYERROR' }))
    const stored: string[] = []
    const response = await receiveCallback(
      built.channel,
      callbackOf(built, body, vendorHeaders(body)),
      (notification) => {
        stored.push(judge(notification))
        return Promise.resolve()
      },
    )
    expect(stored).toEqual(['failed'])
    expect(response.status).toBe(400)
  })
})
