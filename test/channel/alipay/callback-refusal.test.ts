import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { keyOf, paymentId, publicOf, reasonOf } from '../support.ts'
import {
  buildChannel,
  callbackOf,
  defaultKeys,
  formBody,
  noticeOf,
  noticeText,
  now,
  otherPem,
  read,
  signText,
  signedBody,
  vendorPem,
  without,
} from './support.ts'
import type { Fields } from './support.ts'

const good = signedBody(noticeOf())

const withHeader = async (contentType: string | undefined): Promise<string> => {
  const built = buildChannel()
  const callback = callbackOf(built, good)
  const headers = contentType === undefined ? {} : { 'content-type': contentType }
  return reasonOf(await built.channel.readCallback({ ...callback, headers }))
}

/** Signed as is: a body whose signature is right and something else is wrong. */
const reasonFor = async (fields: Fields): Promise<string> =>
  reasonOf(await read(signedBody(fields)))

describe('the shape of a callback', () => {
  test.each([
    ['application/x-www-form-urlencoded', 'verified'],
    ['application/x-www-form-urlencoded;charset=GBK', 'verified'],
    ['APPLICATION/X-WWW-FORM-URLENCODED ; charset=utf-8', 'verified'],
    ['application/json', 'content_type'],
    ['application/x-www-form-urlencodedx', 'content_type'],
    ['', 'content_type'],
    [undefined, 'content_type'],
  ])('the content type %p gives %s', async (contentType, reason) => {
    expect(await withHeader(contentType)).toBe(reason)
  })

  test.each([
    [`${good}&x=%`, 'body_malformed'],
    [`${good}&x=%zz`, 'body_malformed'],
    [`${good}&x=${'a'.repeat(131_072)}`, 'body_malformed'],
    [good + '&x'.repeat(200), 'body_malformed'],
    [`${good}&x=1`, 'bad_signature'],
    ['', 'field_missing'],
    [`${good}&total_amount=0.01`, 'field_duplicate'],
    [`total_amount=88.88&${good}`, 'field_duplicate'],
    [`${good}&sign=AAAA`, 'field_duplicate'],
    [`${good}&%74otal_amount=88.88`, 'field_duplicate'],
  ])('%p gives %s', async (body, reason) => {
    expect(reasonOf(await read(body))).toBe(reason)
  })

  test.each(['sign', 'sign_type', 'notify_type'])('without %s it is refused', async (name) => {
    const fields = { ...noticeOf(), sign: signText(noticeText(noticeOf())) }
    expect(reasonOf(await read(formBody(without(fields, name))))).toBe('field_missing')
    expect(reasonOf(await read(formBody({ ...fields, [name]: '' })))).not.toBe('verified')
  })
})

describe('alipay checklist 45: another algorithm is refused', () => {
  test.each(['RSA', 'SM2', 'rsa2', 'RSA2 '])('%s', async (signType) => {
    expect(await reasonFor(noticeOf({ sign_type: signType }))).toBe('wrong_algorithm')
  })

  test('a signature of SHA-1 is none, whatever it is called', async () => {
    const sign = signText(noticeText(noticeOf()), vendorPem, 'sha1')
    expect(reasonOf(await read(formBody({ ...noticeOf(), sign })))).toBe('bad_signature')
    const named = formBody({ ...noticeOf({ sign_type: 'RSA' }), sign })
    expect(reasonOf(await read(named))).toBe('wrong_algorithm')
  })
})

describe('alipay checklist 44: three texts are tried and no other', () => {
  const fields = { ...noticeOf(), body: '', alipay_cert_sn: '00112233445566778899aabbccddeeff' }
  const everything = (left: readonly string[]): string =>
    Object.entries(fields)
      .filter(([name]) => !left.includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
      .join('&')
  const dropped = (text: string): string => text.replace('&body=&', '&')
  const unsigned = ['sign', 'sign_type']

  test.each([
    ['empty fields dropped', dropped(everything(unsigned)), 'verified'],
    ['empty fields kept', everything(unsigned), 'verified'],
    [
      'the name of the certificate left out',
      dropped(everything([...unsigned, 'alipay_cert_sn'])),
      'verified',
    ],
    [
      'the name left out and empty fields kept',
      everything([...unsigned, 'alipay_cert_sn']),
      'bad_signature',
    ],
    ['sign_type kept', dropped(everything(['sign'])), 'bad_signature'],
    ['a field left out', dropped(everything([...unsigned, 'subject'])), 'bad_signature'],
    [
      'another order',
      dropped(everything(unsigned)).split('&').toReversed().join('&'),
      'bad_signature',
    ],
  ])('%s', async (_, text, reason) => {
    expect(reasonOf(await read(formBody({ ...fields, sign: signText(text) })))).toBe(reason)
  })
})

test('a signed return is no notification, though it is signed by the same rule', async () => {
  const fields = without(
    noticeOf({ method: 'alipay.trade.page.pay.return', timestamp: '2026-01-31 23:59:59' }),
    'notify_id',
    'notify_type',
    'notify_time',
    'trade_status',
  )
  expect(await reasonFor(fields)).toBe('field_missing')
  // An empty field is in no signature, so whoever sees the address can add one.
  const { sign = '' } = Object.fromEntries(new URLSearchParams(signedBody(fields)))
  for (const name of ['notify_type', 'msg_method']) {
    const added = formBody({ ...fields, sign, [name]: '' })
    expect(reasonOf(await read(added))).toBe('field_missing')
  }
})

describe('keys', () => {
  test('another key of the account verifies, a stranger’s does not', async () => {
    const keys = [...defaultKeys, keyOf('vendor_public', 'second', publicOf(otherPem))]
    const body = signedBody(noticeOf(), otherPem)
    expect(reasonOf(await read(body))).toBe('bad_signature')
    const reading = await read(body, buildChannel({ keys }))
    expect(reading.kind === 'verified' && reading.notification.keySerial).toBe('second')
  })

  test('an ended key verifies nothing', async () => {
    const [first] = defaultKeys
    const ended = keyOf('vendor_public', 'alipay', publicOf(vendorPem), { validUntil: now })
    const built = buildChannel({ keys: first ? [first, ended] : [] })
    expect(reasonOf(await read(good, built))).toBe('unknown_serial')
  })

  test('the merchant’s own key is not the vendor’s', async () => {
    const { merchantPem } = await import('./support.ts')
    expect(reasonOf(await read(signedBody(noticeOf(), merchantPem)))).toBe('bad_signature')
  })
})

test('what is explained about a bad signature hides the payer', async () => {
  const reading = await read(good.replace('88.88', '88.89'))
  expect(reading.kind === 'rejected' && reading.explanation).toContain(`app_id=`)
  expect(JSON.stringify(reading)).not.toContain('2088722003899169')
})

describe('properties', () => {
  test('any single changed byte of a signed body is refused or changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: good.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, mask) => {
          const body = Buffer.from(good)
          body[at] = (body[at] ?? 0) ^ mask
          const reading = await read(body)
          // `%2f` for `%2F`, `+` for a blank and the like are the same message, with the same facts.
          if (reading.kind === 'verified') {
            expect([...new URLSearchParams(body.toString('latin1'))]).toEqual([
              ...new URLSearchParams(good),
            ])
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  const names = Object.keys(noticeOf()).filter((name) => name !== 'sign_type')
  const fields = { ...noticeOf(), sign: signText(noticeText(noticeOf())) }

  test('any changed, lost or added field is refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.string({ minLength: 1 }),
        async (name, text) => {
          const added = formBody({ ...fields, [`${name}x`]: text })
          expect(reasonOf(await read(added))).toBe('bad_signature')
          expect(reasonOf(await read(formBody(without(fields, name))))).not.toBe('verified')
          const changed = { ...fields, [name]: `${noticeOf()[name]}${text}` }
          expect(reasonOf(await read(formBody(changed)))).toBe('bad_signature')
        },
      ),
      { numRuns: 40 },
    )
  })

  test('the order of fields and the way they are escaped do not matter', async () => {
    const shuffled = fc.shuffledSubarray(Object.entries(fields), {
      minLength: Object.keys(fields).length,
    })
    await fc.assert(
      fc.asyncProperty(shuffled, fc.array(fc.boolean(), { minLength: 7 }), async (pairs, ways) => {
        let at = 0
        const escape = (text: string): string =>
          [...Buffer.from(text)]
            .map((byte) => {
              const isPlain = /[0-9A-Za-z._-]/.test(String.fromCharCode(byte))
              if (isPlain && ways[at++ % ways.length]) return String.fromCharCode(byte)
              if (byte === 0x20 && ways[at++ % ways.length]) return '+'
              const hex = byte.toString(16).padStart(2, '0')
              return `%${ways[at++ % ways.length] ? hex : hex.toUpperCase()}`
            })
            .join('')
        const body = pairs.map(([name, value]) => `${escape(name)}=${escape(value)}`).join('&')
        expect(reasonOf(await read(body))).toBe('verified')
      }),
      { numRuns: 30 },
    )
  })

  test('readers never throw on random bytes, and believe none', async () => {
    const some = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string().map((text) => Buffer.from(`notify_type=x&sign=${text}&sign_type=RSA2`)),
      fc
        .dictionary(fc.string(), fc.string())
        .map((values) =>
          Buffer.from(formBody({ ...values, notify_type: 'x', sign: 'AAAA', sign_type: 'RSA2' })),
        ),
    )
    await fc.assert(
      fc.asyncProperty(some, async (bytes) => {
        expect((await read(bytes)).kind).toBe('rejected')
      }),
    )
  })

  test('signed nonsense is kept and never a payment', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.string()), async (values) => {
        const nonsense = { ...values, notify_type: 'trade_status_sync', sign_type: 'RSA2' }
        const reading = await read(signedBody(without(nonsense, 'sign')))
        if (reading.kind === 'verified') {
          expect(reading.notification.facts.kind).not.toBe('payment')
        }
      }),
      { numRuns: 50 },
    )
    expect(paymentId).toStartWith('p')
  })
})
