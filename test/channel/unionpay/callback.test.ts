import { describe, expect, test } from 'bun:test'
import { receiveCallback } from '#channel/callback'
import { judge } from '#domain/notification'
import type { VerifiedNotification } from '#domain/notification'
import { assert } from '#domain/assert'
import { sign } from 'node:crypto'
import { contentOf, paymentId, reasonOf, unarmour } from '../support.ts'
import {
  buildChannel,
  callbackOf,
  chain,
  crlf,
  factsOf,
  formOf,
  merId,
  noticeOf,
  read,
  readSigned,
  sha256,
  signedBy,
  txnTime,
} from './support.ts'

describe('a notice of a payment', () => {
  test('carries all that the worker compares', async () => {
    const reading = await readSigned()
    expect(contentOf(reading)).toMatchObject({
      eventKey: `acp:01:01:${paymentId}:${txnTime}:782603141015300001238:00`,
      keySerial: '70061654017',
    })
    expect(factsOf(reading)).toEqual({
      kind: 'payment',
      paymentNumber: paymentId,
      identity: { merId },
      vendorState: 'success',
      vendorStateText: '00',
      vendorTime: txnTime,
      channelPaymentId: '782603141015300001238',
      amountMinor: 12_800n,
      currency: 'CNY',
      clearingDate: '0314',
    })
  })

  test('unionpay checklist 27: takes txnAmt, never settleAmt', async () => {
    const changes = {
      txnAmt: '100',
      settleAmt: '90',
      currencyCode: '156',
      settleCurrencyCode: '840',
    }
    expect(factsOf(await readSigned(changes))).toMatchObject({ amountMinor: 100n, currency: 'CNY' })
  })

  test.each(['442401051450467846498', '00000000000000000001', '20150906112203190624a'])(
    'unionpay checklist 44: the number %s stays text',
    async (queryId) => {
      expect(factsOf(await readSigned({ queryId })).channelPaymentId).toBe(queryId)
    },
  )

  test.each(['0101', '1231', '0229', '9999'])(
    'unionpay checklist 45: the clearing date %s stays as it came',
    async (settleDate) => {
      expect(factsOf(await readSigned({ settleDate })).clearingDate).toBe(settleDate)
    },
  )

  test.each(['queryId', 'settleDate', 'txnAmt', 'currencyCode'])(
    'is still one without %s',
    async (name) => {
      const facts = factsOf(await readSigned({ [name]: '' }))
      expect(facts.paymentNumber).toBe(paymentId)
      expect(JSON.stringify(Object.keys(facts))).not.toContain(name)
    },
  )

  test.each([
    ['00', 'success'],
    ['A6', 'success'],
    ['01', 'failed'],
    ['05', 'other'],
    ['42', 'other'],
    ['12', 'other'],
    ['ZZ', 'other'],
  ] as const)('with the code %s is judged %s', async (respCode, judgement) => {
    const reading = await readSigned({ respCode })
    assert(reading.kind === 'verified', 'it is genuine')
    expect(judge(reading.notification)).toBe(judgement)
  })
})

describe('the identity of a notice', () => {
  const keyOf = async (changes: Readonly<Record<string, string>>): Promise<string> =>
    contentOf(await readSigned(changes)).eventKey

  test('is the same for a repeat, and another for each part of it', async () => {
    const first = await keyOf({})
    expect(await keyOf({ respMsg: 'success', traceTime: '0314101531' })).toBe(first)
    const others = await Promise.all([
      // A failure must not swallow the success that follows it.
      keyOf({ respCode: '01' }),
      keyOf({ txnType: '04' }),
      keyOf({ txnSubType: '07' }),
      keyOf({ orderId: 'p0000000000000000000000000' }),
      // A number is unique for a day only.
      keyOf({ txnTime: '20260315101530' }),
      keyOf({ queryId: '782603141015300001239' }),
    ])
    expect(new Set([first, ...others]).size).toBe(7)
  })

  test('has a dash where there is no number of the vendor', async () => {
    expect(await keyOf({ queryId: '' })).toBe(`acp:01:01:${paymentId}:${txnTime}:-:00`)
  })
})

test.each(['31', '02', '99'])('a notice of the kind %s is other news', async (txnType) => {
  const { facts } = contentOf(await readSigned({ txnType, origQryId: '1', respCode: '01' }))
  expect(facts).toEqual({ kind: 'other', eventType: `acp:${txnType}` })
})

test.each(['orderId', 'txnTime', 'respCode', 'txnType', 'merId'])(
  'a genuine notice without %s is kept for a person',
  async (name) => {
    const body = formOf(signedBy(noticeOf({ [name]: '' })))
    expect(contentOf(await read(body))).toMatchObject({
      eventKey: `sha:${sha256(body)}`,
      facts: { kind: 'unreadable' },
    })
  },
)

test.each([
  ['a query', { origRespCode: '01' }],
  ['a query of a paid order', { origRespCode: '00' }],
  ['an order for a code', { qrCode: 'https://qr.95516.com/1' }],
  ['an order for an app', { tn: '736245498437280325601' }],
])('the answer to %s, brought as a notice, is no success', async (_, changes) => {
  // Its 00 is about the call.
  const reading = await readSigned(changes)
  expect(contentOf(reading).facts.kind).toBe('unreadable')
  assert(reading.kind === 'verified', 'it is signed')
  expect(judge(reading.notification)).toBe('other')
})

describe('a notice is refused', () => {
  test.each(['text/plain', 'application/json', '', 'application/x-www-form-urlencoded2'])(
    'with the content type %j',
    async (type) => {
      const built = buildChannel()
      const callback = callbackOf(built, formOf(signedBy(noticeOf())), { 'content-type': type })
      expect(reasonOf(await built.channel.readCallback(callback))).toBe('content_type')
    },
  )

  test('unionpay checklist 32: with a parameter that the vendor did not send', async () => {
    const body = formOf(signedBy(noticeOf()))
    expect(reasonOf(await read(`${body}&session=1`))).toBe('bad_signature')
  })

  test('with a field twice, with a broken escape, and when it is too long', async () => {
    const body = formOf(signedBy(noticeOf()))
    expect(reasonOf(await read(`${body}&orderId=${paymentId}`))).toBe('field_duplicate')
    expect(reasonOf(await read(`${body}&x=%G0`))).toBe('body_malformed')
    expect(reasonOf(await read(`${body}&x=${'a'.repeat(65_536)}`))).toBe('body_malformed')
  })

  test('with escapes undone twice, or not at all', async () => {
    const body = formOf(signedBy(noticeOf()))
    expect(reasonOf(await read(encodeURI(body)))).not.toBe('verified')
    expect(reasonOf(await read(decodeURIComponent(body)))).not.toBe('verified')
  })

  test('with an explanation that names the order, and neither card nor signature', async () => {
    const signed = signedBy(noticeOf({ customerInfo: '{phoneNo=13552535506&cvn2=123}' }))
    const reading = await read(formOf({ ...signed, txnAmt: '1' }))
    assert(reading.kind === 'rejected', 'the amount was changed')
    expect(reading.explanation).toContain(`orderId=${paymentId}`)
    expect(reading.explanation).toContain('accNo=(')
    for (const hidden of ['13552535506', signed['accNo'] ?? '-', signed['signature'] ?? '-']) {
      expect(reading.explanation).not.toContain(hidden)
    }
  })
})

describe('one signed text is one message', () => {
  const body = signedBy(noticeOf({ respCode: '01', reserved: '{a=1&b=2}' }))

  test('a field hidden in another is refused', async () => {
    const { respCode: code = '', respMsg = '', ...rest } = body
    const hidden = { ...rest, queryId: `${rest['queryId']}&respCode=${code}&respMsg=${respMsg}` }
    expect(reasonOf(await read(formOf(hidden)))).toBe('bad_signature')
  })

  test('a bracket divided in two fields is refused', async () => {
    const { reserved: _reserved, ...rest } = body
    // Without its order the text would differ; it is signed as one and told as two.
    expect(reasonOf(await read(formOf({ ...rest, reserved: '{a=1', b: '2}' })))).toBe(
      'bad_signature',
    )
    const forged = { ...noticeOf(), reserved: '{a=1', respzz: '2}' }
    expect(reasonOf(await read(formOf(signedBy(forged))))).toBe('bad_signature')
  })

  test('a name that holds a pair is refused', async () => {
    const { respMsg = '', respCode: _code, ...rest } = body
    const odd = { ...rest, [encodeURIComponent('respCode=01&respMsg')]: respMsg }
    expect(reasonOf(await read(formOf(odd)))).toBe('bad_signature')
  })

  test('an ordinary bracket is read', async () => {
    expect(reasonOf(await read(formOf(body)))).toBe('verified')
    const nested = { customerInfo: '{encryptedInfo=x==&b={c=1&d=2}}', respMsg: '[1&2] so = so' }
    expect(reasonOf(await readSigned(nested))).toBe('verified')
  })
})

describe('a notice in GBK', () => {
  const success = Uint8Array.from([0xb3, 0xc9, 0xb9, 0xa6])
  /** The bytes that are signed, with this text in place of the marks. */
  function gbkNotice(encoding: string): { readonly body: string } {
    const message: Record<string, string> = {
      ...noticeOf({ encoding, respMsg: 'MARK' }),
      signMethod: '01',
      signPubKeyCert: crlf(chain.live.certificate),
    }
    // The certificate's own name is in base64, so all but the mark is ASCII.
    const names = Object.keys(message).toSorted()
    const text = names.map((name) => `${name}=${message[name]}`).join('&')
    const [before = '', after = ''] = text.split('MARK')
    const bytes = Buffer.concat([Buffer.from(before), success, Buffer.from(after)])
    const digest = Buffer.from(sha256(bytes))
    const signature = sign('sha256', digest, unarmour(chain.live.privateKey)).toString('base64')
    return { body: formOf({ ...message, signature }).replace('MARK', '%B3%C9%B9%A6') }
  }

  test.each(['GBK', 'gbk'])('is verified over its bytes and read as %s', async (encoding) => {
    expect(factsOf(await read(gbkNotice(encoding).body)).vendorState).toBe('success')
  })

  test.each(['UTF-8', 'GB2312', 'latin1', 'constructor'])(
    'is refused when it says %s',
    async (encoding) => {
      expect(reasonOf(await read(gbkNotice(encoding).body))).toBe('charset')
    },
  )
})

describe('the answer', () => {
  const stored: VerifiedNotification[] = []
  const receive = (body: string): Promise<Response> => {
    const built = buildChannel()
    return receiveCallback(built.channel, callbackOf(built, body), (notification) => {
      stored.push(notification)
      return Promise.resolve()
    })
  }

  test('unionpay checklist 31: to a good notice, and to its repeat, is 200 ok', async () => {
    const body = formOf(signedBy(noticeOf()))
    for (let time = 0; time < 5; time += 1) {
      const response = await receive(body)
      expect([response.status, await response.text()]).toEqual([200, 'ok'])
    }
    expect(new Set(stored.map(({ eventKey }) => eventKey)).size).toBe(1)
  })

  test('unionpay checklist 31: to a bad signature is a failure, and stores nothing', async () => {
    const before = stored.length
    const response = await receive(formOf({ ...signedBy(noticeOf()), txnAmt: '1' }))
    expect([response.status, await response.text()]).toEqual([500, 'fail'])
    expect(stored).toHaveLength(before)
  })

  test('to a payment’s failure is a failure, stored all the same', async () => {
    const before = stored.length
    expect((await receive(formOf(signedBy(noticeOf({ respCode: '01' }))))).status).toBe(500)
    expect(stored).toHaveLength(before + 1)
  })

  test('to a refund’s failure is 200', async () => {
    const notice = noticeOf({ txnType: '04', respCode: '01' })
    expect((await receive(formOf(signedBy(notice)))).status).toBe(200)
  })

  test('while nothing can be stored is 503', () => {
    expect(buildChannel().channel.acknowledge('unavailable').status).toBe(503)
  })
})
