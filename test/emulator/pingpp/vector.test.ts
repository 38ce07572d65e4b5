import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'

import { parseJson } from '../config.ts'
import { isSignedBy, newRsaPair } from '../core/rsa.ts'
import { textToSign } from './authorization.ts'
import type { EmulatedCharge } from './charge.ts'
import { chargeObject } from './charge.ts'
import { SIGNATURE_HEADER, sealed } from './courier.ts'
import { eventObject } from './event.ts'
import { payloadText } from './payload.ts'
import {
  EVENT_A,
  EVENT_B,
  EVENT_C,
  GET_REQUEST,
  POST_REQUEST,
  REQUEST_TIMESTAMP,
  SAMPLE_MERCHANT_KEY,
} from './vector.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const events = [
  ['A', EVENT_A],
  ['B', EVENT_B],
  ['C', EVENT_C],
] as const

describe('published events (dossier 8.1)', () => {
  test.each(events)('%s has the published bytes and verifies', (_, event) => {
    expect(sha256(event.body)).toBe(event.sha256)
    const { body: message, signature, publicKeyPem } = event
    expect(isSignedBy(publicKeyPem, { message, signature })).toBe(true)
  })

  test.each(events)('%s does not verify with the key of another', (_, event) => {
    const { body: message, signature } = event
    const others = events.map(([, other]) => other).filter((other) => other !== event)
    for (const { publicKeyPem } of others) {
      expect(isSignedBy(publicKeyPem, { message, signature })).toBe(false)
    }
  })

  test.each(events)('%s does not verify with one byte changed or written again', (_, event) => {
    const { body, signature, publicKeyPem } = event
    for (const message of [
      body.replace('event', 'evenT'),
      JSON.stringify(parseJson(body), null, 1),
    ]) {
      expect(isSignedBy(publicKeyPem, { message, signature })).toBe(false)
    }
  })

  test.each(['', 'not base64 %', 'AAAA'])('takes the signature "%s" for wrong', (signature) => {
    const { body: message, publicKeyPem } = EVENT_C
    expect(isSignedBy(publicKeyPem, { message, signature })).toBe(false)
  })
})

describe('request signatures (dossier 8.2)', () => {
  test.each([
    ['POST', POST_REQUEST],
    ['GET', GET_REQUEST],
  ] as const)('signs a %s over the right text', (_, request) => {
    const message = textToSign(request, REQUEST_TIMESTAMP)
    expect(sha256(message)).toBe(request.sha256)
    const { signature } = request
    expect(isSignedBy(SAMPLE_MERCHANT_KEY, { message, signature })).toBe(true)
  })

  test('leaves a body out of GET and DELETE, and keeps it in POST and PUT', () => {
    const signed = (method: string): string => textToSign({ method, body: 'b', target: '/v1' }, '1')
    expect(['GET', 'DELETE', 'POST', 'PUT'].map(signed)).toEqual(['/v11', '/v11', 'b/v11', 'b/v11'])
  })
})

/** What stands in the books when event C is told. */
const chargeOfC: EmulatedCharge = {
  id: 'ch_100240816592822384640019',
  livemode: false,
  body: {
    order_no: '1723795491985uqclqj7',
    app: { id: 'app_eTC8yLuj9GSSL0yv' },
    channel: 'wx_pub',
    amount: 100,
    client_ip: '127.0.0.1',
    currency: 'cny',
    subject: 'Your Subject',
    body: 'Your Body',
    extra: { open_id: 'o7xEMsySBFG3MVHI-9VsAJX-j50W', limit_pay: 'no_credit' },
    metadata: {},
  },
  created: 1723795492,
  timeExpire: 1723802692,
  requestId: 'iar_mrrvj9ivPOaHPOi9aLPWPqvT',
  token: '',
  credential: {},
  payment: { timePaid: 1723795675, transactionNumber: '1290362656202408163243920572' },
  isReversed: false,
}

const textOfC = (): string =>
  payloadText(
    eventObject({
      id: 'evt_400240816160755820469807',
      created: 1723795675,
      livemode: false,
      type: 'charge.succeeded',
      object: chargeObject(chargeOfC, []),
      app: chargeOfC.body.app.id,
      requestId: chargeOfC.requestId,
      pendingWebhooks: 0,
    }),
    { emptyArrays: false, oldPayloads: false },
  )

describe('our own events', () => {
  test('have the bytes of the published event C but for the fee and the bank', () => {
    const text = textOfC()
      .replace('"amount_settle":99', '"amount_settle":100')
      .replace('"bank_type":"OTHERS"', '"bank_type":"your bank type"')
    expect(text).toBe(EVENT_C.body)
  })

  test('are signed over the raw body with the key of Ping++', async () => {
    const { privatePem: privateKeyPem, publicPem: publicKeyPem } = await newRsaPair()
    const { headers, body } = sealed(textOfC(), { privateKeyPem, publicKeyPem })
    const signature = headers[SIGNATURE_HEADER] ?? ''
    expect(isSignedBy(publicKeyPem, { message: body, signature })).toBe(true)
    expect(isSignedBy(EVENT_C.publicKeyPem, { message: body, signature })).toBe(false)
  })
})
