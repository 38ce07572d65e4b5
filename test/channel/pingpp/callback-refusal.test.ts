import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { assert } from '#domain/assert'
import { publicOf, reasonOf } from '../support.ts'
import {
  buildChannel,
  callbackOf,
  defaultKeys,
  eventOf,
  liveSecret,
  read,
  signedAt,
  strangerPem,
  vendorHeaders,
  vendorPayment,
  vendorPem,
  withVendorKeys,
} from './support.ts'

const NAME = 'x-pingplusplus-signature'
const genuine = eventOf()
const headers = vendorHeaders(genuine)
const signature = headers[NAME] ?? ''

describe('refusing', () => {
  test('pingpp checklist 10: any one byte changed is refused', async () => {
    const built = buildChannel()
    const bytes = Buffer.from(genuine)
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(change, async ([at, mask]) => {
        const changed = Uint8Array.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ mask
        expect(reasonOf(await read(changed, headers, built))).toBe('bad_signature')
      }),
      { numRuns: 150 },
    )
  })

  test('pingpp checklist 10: any one member added, left out or moved is refused', async () => {
    const object: Record<string, unknown> = vendorPayment()
    const built = buildChannel()
    const own = eventOf(object)
    for (const name of Object.keys(object)) {
      const { [name]: value, ...others } = object
      for (const changed of [others, { ...others, [name]: value, more: 1 }]) {
        const body = eventOf(changed)
        expect(reasonOf(await read(body, vendorHeaders(own), built))).toBe('bad_signature')
      }
    }
  })

  test('pingpp checklist 9: a body written again by us does not verify', async () => {
    const spaced = genuine.replace('":', '": ')
    const again = JSON.stringify(JSON.parse(spaced))
    expect(again).toBe(genuine)
    expect(reasonOf(await read(again, vendorHeaders(spaced)))).toBe('bad_signature')
    expect(reasonOf(await read(spaced, vendorHeaders(spaced)))).toBe('verified')
  })

  test('pingpp checklist 10: a missing or empty header is refused', async () => {
    expect(reasonOf(await read(genuine, {}))).toBe('header_missing')
    expect(reasonOf(await read(genuine, { [NAME]: '' }))).toBe('header_missing')
  })

  test.each(['X-Pingplusplus-Signature', 'x-pingplusplus-signature', 'X-PINGPLUSPLUS-SIGNATURE'])(
    'pingpp checklist 11: the header %s is found as the gateway hands it on',
    async (name) => {
      const request = new Request('https://pay.example.com', { headers: { [name]: signature } })
      expect((await read(genuine, Object.fromEntries(request.headers))).kind).toBe('verified')
    },
  )

  test.each([
    '====',
    'not base64!',
    signature.slice(0, -1),
    `${signature}=`,
    signature.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
    `${signature}, ${signature}`,
    'A'.repeat(4000),
  ])('pingpp checklist 12: "%s" in the header is refused without an exception', async (text) => {
    expect(reasonOf(await read(genuine, { [NAME]: text }))).toBe('header_malformed')
  })

  test('good base64 of a wrong length is refused', async () => {
    const bytes = Buffer.from(signature, 'base64')
    const doubled = Buffer.concat([bytes, bytes]).toString('base64')
    for (const text of ['AAAA', bytes.subarray(1).toString('base64'), doubled]) {
      expect(reasonOf(await read(genuine, { [NAME]: text }))).toBe('bad_signature')
    }
  })

  test('a stranger is refused, and so is our own key', async () => {
    const stranger = vendorHeaders(genuine, strangerPem)
    expect(reasonOf(await read(genuine, stranger))).toBe('bad_signature')
    const trusting = buildChannel({ keys: withVendorKeys([publicOf(strangerPem)]) })
    expect(reasonOf(await read(genuine, stranger, trusting))).toBe('verified')
    expect(reasonOf(await read(genuine, headers, trusting))).toBe('bad_signature')
  })

  test('a key that has ended verifies nothing, and one that will come does', async () => {
    const dated = (dates: { validFrom?: Date; validUntil?: Date }) =>
      buildChannel({
        keys: withVendorKeys([publicOf(vendorPem)]).map((key) =>
          key.purpose === 'vendor_public' ? { ...key, ...dates } : key,
        ),
      })
    const now = new Date(signedAt * 1000)
    const later = new Date((signedAt + 1) * 1000)
    expect(reasonOf(await read(genuine, headers, dated({ validUntil: now })))).toBe('bad_signature')
    expect(reasonOf(await read(genuine, headers, dated({ validUntil: later })))).toBe('verified')
    expect(reasonOf(await read(genuine, headers, dated({ validFrom: later })))).toBe('verified')
  })

  test('other content types are refused before anything else', async () => {
    const built = buildChannel()
    for (const type of ['', 'text/xml', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      const callback = callbackOf(built, genuine, { ...headers, 'content-type': type })
      expect(reasonOf(await built.channel.readCallback(callback))).toBe('content_type')
    }
    const type = 'application/json; charset=UTF-8'
    const callback = callbackOf(built, genuine, { ...headers, 'content-type': type })
    expect(reasonOf(await built.channel.readCallback(callback))).toBe('verified')
  })

  test('the explanation tells a wrong key from a changed body, and shows no payer and no key', async () => {
    const openId = 'o7xEMsySBFG3MVHI-9VsAJX-j50W'
    const body = eventOf({ extra: { open_id: openId }, client_ip: '14.23.150.211' })
    const reading = await read(body, vendorHeaders(body, strangerPem))
    assert(reading.kind === 'rejected', 'a stranger is rejected')
    expect(reading.explanation).toContain('keys tried: first, second')
    expect(reading.explanation).toContain(new Bun.CryptoHasher('sha256').update(body).digest('hex'))
    expect(reading.explanation.length).toBeLessThan(600)
    for (const secret of [openId, '14.23.150.211', liveSecret, signature]) {
      expect(reading.explanation).not.toContain(secret)
    }
  })
})

describe('reading never throws', () => {
  test('on random bytes, also when they are signed', async () => {
    const built = buildChannel()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (body, isSigned) => {
        const reading = await read(body, isSigned ? vendorHeaders(body) : headers, built)
        expect(reading.kind).toBe(isSigned ? 'verified' : 'rejected')
      }),
      { numRuns: 80 },
    )
  })

  test('on any JSON that is signed', async () => {
    const built = buildChannel()
    const object = fc.record({ type: fc.constant('charge.succeeded'), data: fc.jsonValue() })
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), object), async (value) => {
        const body = JSON.stringify(value)
        expect((await read(body, vendorHeaders(body), built)).kind).toBe('verified')
      }),
      { numRuns: 80 },
    )
  })

  test('on any value in any field of a payment', async () => {
    const built = buildChannel()
    const names = fc.constantFrom(...Object.keys(vendorPayment()).filter((n) => n !== 'livemode'))
    await fc.assert(
      fc.asyncProperty(names, fc.jsonValue(), async (name, value) => {
        const body = eventOf(vendorPayment({ paid: true, [name]: value }))
        expect((await read(body, vendorHeaders(body), built)).kind).toBe('verified')
      }),
      { numRuns: 80 },
    )
  })

  test('on any headers', async () => {
    const built = buildChannel()
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.base64String())
    const name = fc.constantFrom(NAME, 'content-type')
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, text, { minKeys: 1 }), async (changes) => {
        expect((await read(genuine, { ...headers, ...changes }, built)).kind).toBe('rejected')
      }),
      { numRuns: 80 },
    )
  })
})

test('the default account is the one of these tests', () => {
  expect(defaultKeys.map(({ purpose }) => purpose)).toEqual([
    'api_secret',
    'merchant_private',
    'vendor_public',
    'vendor_public',
  ])
})
