import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { importSigningKey } from '#channel/crypto'
import { listTarget } from '#channel/pingpp/list'
import { requestMessage, signRequest } from '#channel/pingpp/signature'
import { assert } from '#domain/assert'
import callback from '../../fixture/pingpp/callback.json'
import signing from '../../fixture/pingpp/signing.json'
import { contentOf, reasonOf } from '../support.ts'
import { buildChannel, merchantPem, read, testKeys, withVendorKeys } from './support.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

async function signedBy(request: { readonly target: string; readonly body: string }) {
  const key = await importSigningKey(merchantPem)
  assert(key !== undefined, 'the sample key is a private key')
  return signRequest(key, { ...request, timestamp: signing.timestamp })
}

describe('requests of the dossier, section 8.2', () => {
  test('pingpp checklist 4: the POST is signed bit for bit: body, address, time', async () => {
    const { target, body } = signing.post
    const message = requestMessage({ target, body, timestamp: signing.timestamp })
    expect(message).toBe(`${body}/v1/charges1773454530`)
    expect(sha256(message)).toBe(signing.post.sha256)
    expect(await signedBy({ target, body })).toEqual({
      'pingplusplus-request-timestamp': '1773454530',
      'pingplusplus-signature': signing.post.signature,
    })
  })

  test('pingpp checklist 5: the GET is signed bit for bit, and our list has its form', async () => {
    const { target } = signing.get
    const message = requestMessage({ target, body: '', timestamp: signing.timestamp })
    expect(sha256(message)).toBe(signing.get.sha256)
    const headers = await signedBy({ target, body: '' })
    expect(headers['pingplusplus-signature']).toBe(signing.get.signature)
    const window = { product: undefined, from: 1_773_417_600, until: 1_773_504_000 }
    expect(listTarget('app_1Gqj58ynP0mHeX1q', window)).toBe(target)
  })
})

/** A is a live event, B and C are of test mode. */
const accountOf = (name: string, ...publicKeys: readonly string[]) =>
  name === 'A'
    ? buildChannel({ keys: withVendorKeys(publicKeys) })
    : buildChannel({ keys: withVendorKeys(publicKeys, testKeys), settings: { mode: 'test' } })

const headersOf = (signature: string) => ({ 'x-pingplusplus-signature': signature })

describe('callbacks of the dossier, section 8.1', () => {
  test.each(callback.vectors)('$name has the published bytes', ({ body, sha256: digest }) => {
    expect(sha256(body)).toBe(digest)
  })

  test.each(callback.vectors)(
    'pingpp checklist 8: $name verifies with its own key and with no other',
    async ({ name, body, signature }) => {
      for (const { name: other, publicKey } of callback.vectors) {
        const built = accountOf(name, publicKey)
        const reading = await read(body, headersOf(signature), built)
        expect(reasonOf(reading)).toBe(name === other ? 'verified' : 'bad_signature')
      }
    },
  )

  test.each(callback.vectors)('$name verifies among all keys', async (vector) => {
    const keys = callback.vectors.map(({ publicKey }) => publicKey)
    const built = accountOf(vector.name, ...keys)
    const content = contentOf(await read(vector.body, headersOf(vector.signature), built))
    expect(content.keySerial).toBe(`key ${callback.vectors.indexOf(vector)}`)
  })

  test.each(callback.vectors)(
    'pingpp checklist 9: $name does not verify once it was parsed and written again',
    async ({ name, body, signature, publicKey }) => {
      const parsed: unknown = JSON.parse(body)
      const built = accountOf(name, publicKey)
      for (const again of [
        JSON.stringify(parsed, undefined, 2),
        JSON.stringify(parsed).replaceAll('/', String.raw`\/`),
        `${JSON.stringify(parsed)}\n`,
        JSON.stringify(parsed).replace(/[^\u0020-\u007e]/g, (text) => {
          return String.raw`\u` + text.charCodeAt(0).toString(16).padStart(4, '0')
        }),
      ].filter((text) => text !== body)) {
        expect(reasonOf(await read(again, headersOf(signature), built))).toBe('bad_signature')
      }
    },
  )

  test('A and C are payments, B is other news', async () => {
    const facts: unknown[] = []
    for (const { name, body, signature, publicKey } of callback.vectors) {
      const reading = await read(body, headersOf(signature), accountOf(name, publicKey))
      facts.push({ eventKey: contentOf(reading).eventKey, facts: contentOf(reading).facts })
    }
    expect(facts).toEqual([
      {
        eventKey: 'evt:evt_eYa58Wd44Glerl8AgfYfd1sL',
        facts: {
          kind: 'payment',
          paymentNumber: '2015d019f7cf6c0d',
          identity: { app: 'app_vcPcqDeS88ixrPlu' },
          vendorState: 'success',
          vendorStateText: 'paid=true',
          channelPaymentId: 'ch_bq9IHKnn6GnLzsS0swOujr4x',
          walletPaymentId: '1014400031201506150354653857',
          vendorProduct: 'wx',
          amountMinor: 100n,
          currency: 'CNY',
          paidAt: new Date(1_434_368_074_000),
        },
      },
      {
        eventKey: 'evt:evt_04qN8cXQvIhssduhS4hpqd9p',
        facts: { kind: 'other', eventType: 'account.summary.available' },
      },
      {
        eventKey: 'evt:evt_400240816160755820469807',
        facts: {
          kind: 'payment',
          paymentNumber: '1723795491985uqclqj7',
          identity: { app: 'app_eTC8yLuj9GSSL0yv' },
          vendorState: 'success',
          vendorStateText: 'paid=true',
          channelPaymentId: 'ch_100240816592822384640019',
          walletPaymentId: '1290362656202408163243920572',
          vendorProduct: 'wx_pub',
          amountMinor: 100n,
          currency: 'CNY',
          paidAt: new Date(1_723_795_675_000),
        },
      },
    ])
  })
})
