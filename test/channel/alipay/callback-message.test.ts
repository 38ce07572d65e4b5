import { describe, expect, test } from 'bun:test'
import { contentOf, paymentId } from '../support.ts'
import { encodeGbk } from './gbk.ts'
import {
  appId,
  channelPaymentId,
  formBody,
  noticeOf,
  noticeText,
  read,
  signText,
  signedBody,
  without,
} from './support.ts'
import type { Fields } from './support.ts'

const keyOf = async (fields: Fields) => contentOf(await read(signedBody(fields))).eventKey

describe('messages of the application gateway', () => {
  const content = {
    trade_no: channelPaymentId,
    out_trade_no: paymentId,
    out_request_no: 'HZ01',
    dback_status: 'S',
    dback_amount: '1.01',
  }
  const message: Fields = {
    msg_method: 'alipay.trade.refund.depositback.completed',
    app_id: appId,
    utc_timestamp: '1769875199000',
    charset: 'UTF-8',
    version: '1.1',
    sign_type: 'RSA2',
    biz_content: JSON.stringify(content),
  }

  test.each([[['sign', 'sign_type']], [['sign']]])(
    'are verified when %p is left out',
    async (left) => {
      const body = formBody({ ...message, sign: signText(noticeText(message, left)) })
      expect(contentOf(await read(body))).toMatchObject({
        eventKey: `dbk:${channelPaymentId}:HZ01:S`,
        facts: {
          kind: 'other',
          eventType: 'alipay.trade.refund.depositback.completed',
          paymentNumber: paymentId,
        },
      })
    },
  )

  test('have the vendor’s name where it gives one', async () => {
    const fields = { ...message, notify_id: 'n1' }
    expect(await keyOf(fields)).toBe('ntf:n1')
  })

  test.each(['', 'no json', '[]', '{"out_trade_no":1}'])(
    'with the content %p are still news',
    async (text) => {
      const content_ = contentOf(await read(signedBody({ ...message, biz_content: text })))
      expect(content_.facts).toEqual({
        kind: 'other',
        eventType: 'alipay.trade.refund.depositback.completed',
      })
      expect(content_.eventKey).toMatch(/^sha:/)
    },
  )

  test('of another kind of notification are news, too', async () => {
    const fields = without(
      noticeOf({ notify_type: 'servicemarket_order_notify', method: 'a.b' }),
      'trade_status',
    )
    const body = formBody({ ...fields, sign: signText(noticeText(fields, ['sign'])) })
    expect(contentOf(await read(body)).facts).toMatchObject({
      kind: 'other',
      eventType: 'servicemarket_order_notify',
    })
  })
})

describe('charsets', () => {
  const gbkBody = (fields: Fields): string => {
    const sign = signText(encodeGbk(noticeText(fields)))
    const escape = (text: string): string =>
      [...encodeGbk(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
    return Object.entries({ ...fields, sign })
      .map(([name, value]) => `${name}=${escape(value)}`)
      .join('&')
  }

  test.each(['GBK', 'gbk', 'GB2312', 'gb18030'])('%s is read as declared', async (charset) => {
    const fields = { ...noticeOf({ charset, trade_status: '状态' }) }
    expect(contentOf(await read(gbkBody(fields))).facts).toMatchObject({
      vendorState: 'unknown',
      vendorStateText: '状态',
    })
  })

  test('genuine bytes of another charset are kept for a person', async () => {
    const facts = contentOf(await read(gbkBody(noticeOf({ charset: 'utf-8' })))).facts
    expect(facts).toEqual({ kind: 'unreadable', reason: 'subject is not utf-8' })
    const big5 = contentOf(await read(signedBody(noticeOf({ charset: 'big5' })))).facts
    expect(big5).toEqual({ kind: 'unreadable', reason: 'the charset is neither UTF-8 nor GBK' })
  })

  test('without a declared charset it is UTF-8', async () => {
    const fields = without(noticeOf(), 'charset')
    expect(contentOf(await read(signedBody(fields))).facts.kind).toBe('payment')
  })
})
