import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { receiveCallback } from '#channel/callback'
import { assert } from '#domain/assert'
import verifying from '../../fixture/wechat-pay/verifying.json'
import { atSecond, contentOf, keyOf, reasonOf } from '../support.ts'
import {
  apiv3Key,
  buildChannel,
  callbackOf,
  certificateSerial,
  defaultKeys,
  envelopeOf,
  fixtureHeaders,
  notifiedAt,
  orderOf,
  payment,
  publicKeyId,
  read,
  readPayment,
  seal,
  vendorHeaders,
  vendorPem,
} from './support.ts'

describe('refusing', () => {
  test.each([
    [299, 'verified'],
    [-299, 'verified'],
    [300, 'stale'],
    [-300, 'stale'],
    [301, 'stale'],
  ])('CB-16: a signature %i seconds old is %s', async (age, reason) => {
    expect(reasonOf(await readPayment({}, notifiedAt + age))).toBe(reason)
  })

  test.each([300, -300])(
    'wechatpay checklist 15: %i s away is refused, one less is not',
    async (age) => {
      expect(reasonOf(await readPayment({}, notifiedAt + age))).toBe('stale')
      expect(reasonOf(await readPayment({}, notifiedAt + age - Math.sign(age)))).toBe('verified')
    },
  )

  test('wechatpay checklist 16: a certificate and a public key are both accepted', async () => {
    const body = envelopeOf(orderOf())
    const built = buildChannel()
    const byKey = vendorHeaders(body)
    const byCertificate = vendorHeaders(body, { serial: certificateSerial, pem: vendorPem })
    expect(contentOf(await read(body, byKey, built)).keySerial).toBe(publicKeyId)
    expect(contentOf(await read(body, byCertificate, built)).keySerial).toBe(certificateSerial)
    const crossed = { ...byKey, 'wechatpay-serial': certificateSerial }
    expect(reasonOf(await read(body, crossed, built))).toBe('bad_signature')
  })

  test('a certificate serial counts as a number: case and leading zeros do not', async () => {
    const serial = `00${certificateSerial.toLowerCase()}`
    expect(reasonOf(await readPayment({ 'wechatpay-serial': serial }))).toBe('verified')
  })

  test('wechatpay checklist 17: a public key id is a name, exact in case and never hex', async () => {
    const body = envelopeOf(orderOf())
    for (const serial of [
      publicKeyId.toLowerCase(),
      publicKeyId.replace('PUB_KEY_ID_', ''),
      `00${publicKeyId}`,
    ]) {
      const reading = await read(body, vendorHeaders(body, { serial }))
      expect(reasonOf(reading)).toBe('unknown_serial')
    }
  })

  test('wechatpay checklist 18: an unknown serial is refused without any call to the vendor', async () => {
    let calls = 0
    const built = buildChannel({
      deps: {
        fetch() {
          calls += 1
          return Promise.reject(new Error('must not be called'))
        },
      },
    })
    const body = envelopeOf(orderOf())
    const reading = await read(body, vendorHeaders(body, { serial: 'ABCDEF' }), built)
    expect(reasonOf(reading)).toBe('unknown_serial')
    expect(calls).toBe(0)
  })

  const last336 = payment.signature.slice(-336)

  test.each([
    ['T1', verifying.probeT1.signature],
    ['D5 short', `WECHATPAY/SIGNTEST/${last336}`],
    ['D5 full', `WECHATPAY/SIGNTEST/${payment.signature}`],
  ])(
    'wechatpay checklist 19: the probe %s is refused',
    async (_name: string, signature: string) => {
      expect(reasonOf(await readPayment({ 'wechatpay-signature': signature }))).toBe('probe')
    },
  )

  test('T1 with the headers that were captured is refused', async () => {
    const { timestamp, nonce, serial, signature } = verifying.probeT1
    const built = buildChannel({ at: atSecond(Number(timestamp)) })
    const headers = {
      'wechatpay-timestamp': timestamp,
      'wechatpay-nonce': nonce,
      'wechatpay-serial': serial,
      'wechatpay-signature': signature,
    }
    expect((await read(payment.body, headers, built)).kind).toBe('rejected')
  })

  test('CB-15: a probe has its own reason, and a 4xx', async () => {
    const built = buildChannel()
    const headers = {
      ...fixtureHeaders(payment),
      'wechatpay-signature': verifying.probeT1.signature,
    }
    const reasons: string[] = []
    const response = await receiveCallback(
      built.channel,
      callbackOf(built, payment.body, headers),
      () => Promise.reject(new Error('must not be stored')),
      (reading) => reasons.push(reading.reason),
    )
    expect(response.status).toBe(401)
    expect(reasons).toEqual(['probe'])
  })

  test('CB-12: host, forwarded headers and private addresses change nothing', async () => {
    const tempting = {
      host: 'localhost',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'localhost',
      'x-real-ip': '10.0.0.1',
      forwarded: 'for=127.0.0.1;host=localhost',
    }
    expect((await readPayment(tempting)).kind).toBe('verified')
    const forged = { ...tempting, 'wechatpay-signature': seal('forged') }
    expect(reasonOf(await readPayment(forged))).toBe('bad_signature')
    expect(reasonOf(await read(payment.body, tempting))).toBe('header_missing')
  })

  test.each([
    '',
    '====',
    'not base64!',
    'AAAA',
    payment.signature.slice(0, -2),
    payment.signature + payment.signature,
  ])(
    'CB-13: the malformed signature "%s" is refused, not thrown and not accepted',
    async (signature) => {
      expect((await readPayment({ 'wechatpay-signature': signature })).kind).toBe('rejected')
    },
  )

  test('CB-13: a malformed vendor key cannot be built into a channel', () => {
    const broken = keyOf(
      'vendor_public',
      'ABCDEF',
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
    )
    expect(() => buildChannel({ keys: [...defaultKeys, broken] })).toThrow('not RSA in PEM')
  })

  test('CB-14: any headers are refused without an exception', async () => {
    const built = buildChannel()
    const text = fc.oneof(
      fc.string(),
      fc.constant(''),
      fc.base64String(),
      fc.string({ unit: 'binary' }),
    )
    const name = fc.constantFrom(
      ...Object.keys(fixtureHeaders(payment)),
      'wechatpay-signature-type',
      'content-type',
    )
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, text, { minKeys: 1 }), async (changes) => {
        const headers = { ...fixtureHeaders(payment), ...changes }
        const callback = callbackOf(built, payment.body, headers)
        const reading = await built.channel.readCallback(callback)
        const isSame = Object.entries(changes).every(
          ([key, value]) => fixtureHeaders(payment)[key] === value,
        )
        return isSame || reading.kind === 'rejected'
      }),
      { numRuns: 300 },
    )
  })

  test.each(['wechatpay-timestamp', 'wechatpay-nonce', 'wechatpay-serial', 'wechatpay-signature'])(
    'CB-14: without %s it is refused',
    async (name) => {
      const { [name]: _, ...headers } = fixtureHeaders(payment)
      expect(reasonOf(await read(payment.body, headers))).toBe('header_missing')
    },
  )

  test('CB-14: any nonce, tag or text in a signed envelope is refused without an exception', async () => {
    const built = buildChannel()
    await fc.assert(
      fc.asyncProperty(
        fc.string(),
        fc.oneof(fc.string(), fc.base64String()),
        async (nonce, ciphertext) => {
          const resource = {
            algorithm: 'AEAD_AES_256_GCM',
            nonce,
            ciphertext,
            associated_data: 'transaction',
          }
          const body = JSON.stringify({ id: 'e1', event_type: 'TRANSACTION.SUCCESS', resource })
          expect(reasonOf(await read(body, vendorHeaders(body), built))).toBe('decrypt_failed')
        },
      ),
      { numRuns: 100 },
    )
  })

  test('another signature type is refused', async () => {
    expect(
      reasonOf(await readPayment({ 'wechatpay-signature-type': 'WECHATPAY2-SHA256-RSA2048' })),
    ).toBe('verified')
    expect(
      reasonOf(await readPayment({ 'wechatpay-signature-type': 'WECHATPAY2-SM2-WITH-SM3' })),
    ).toBe('header_malformed')
  })

  test('wechatpay checklist 56: an XML refund callback in the old format is refused calmly', async () => {
    const body = '<xml><return_code>SUCCESS</return_code><req_info>AAAA</req_info></xml>'
    expect(reasonOf(await read(body, { 'content-type': 'text/xml' }))).toBe('content_type')
    expect(reasonOf(await read(body, {}))).toBe('header_missing')
  })

  test('CB-30: XML with an external entity is never parsed', async () => {
    const body = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    expect(
      reasonOf(await read(body, { ...vendorHeaders(body), 'content-type': 'application/xml' })),
    ).toBe('content_type')
    const content = contentOf(await read(body))
    expect(content.facts.kind).toBe('unreadable')
  })

  test('a key that has ended verifies nothing', async () => {
    const validUntil = new Date(notifiedAt * 1000)
    const keys = defaultKeys.map((key) =>
      key.serial === certificateSerial ? { ...key, validUntil } : key,
    )
    const reading = await read(payment.body, fixtureHeaders(payment), buildChannel({ keys }))
    expect(reasonOf(reading)).toBe('unknown_serial')
  })

  test('the explanation says what was verified and holds no signature and no key', async () => {
    const signature = seal('forged')
    const reading = await readPayment({ 'wechatpay-signature': signature })
    assert(reading.kind === 'rejected', 'a forged signature is rejected')
    expect(reading.explanation).toContain(certificateSerial)
    expect(reading.explanation).toContain('7b0c4b2e')
    expect(reading.explanation).not.toContain(signature)
    expect(reading.explanation).not.toContain(apiv3Key)
    expect(reading.explanation.length).toBeLessThan(800)
  })
})
