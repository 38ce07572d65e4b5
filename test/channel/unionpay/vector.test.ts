import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'bun:test'
import { importSigningKey } from '#channel/crypto'
import { encodeForm, readForm } from '#channel/form'
import { certIdOf } from '#channel/unionpay/key'
import { signFields, signingText } from '#channel/unionpay/signature'
import { parseAnswer } from '#channel/unionpay/wire'
import { assert } from '#domain/assert'
import { mint } from '#domain/brand'
import type { PaymentId } from '#domain/id'
import { reasonOf } from '../support.ts'
import {
  buildChannel,
  certId,
  factsOf,
  formOf,
  merchantPem,
  rawOf,
  read,
  readSigned,
  reference,
  sha256,
  vector,
  vectorMessage,
} from './support.ts'
import type { Message } from './support.ts'
import { startVendor } from './vendor.ts'

const { requests, responses, notice, derived } = vector
const vectorMerId = '777290058167151'
const inTime = new Date('2024-01-05T07:00:00Z')
const atEnd = new Date('2025-07-31T01:19:16Z')

async function signerOf(pem: string) {
  const key = await importSigningKey(pem)
  assert(key !== undefined, 'the fixture key is a private key')
  return { certId, key }
}

/** In an order that no sorting gives, with what must not be signed. */
const shuffled = (message: Message): Message => ({
  ...Object.fromEntries(Object.entries(message).toReversed()),
  signature: '',
  reserved: '',
})

const publicKey = createPublicKey(vector.merchantCertificate)
const isSignedByMerchant = (text: string, signature: string): boolean =>
  verify('sha256', Buffer.from(text), publicKey, Buffer.from(signature, 'base64'))

describe('published requests', () => {
  test.each(Object.entries(requests))(
    'unionpay checklist 1: the text of %s comes from fields in any order',
    (_, { text }) => {
      const { signature: _signature, ...message } = vectorMessage({ text, signature: '' })
      expect(signingText(shuffled(message))).toBe(text)
    },
  )

  test.each(Object.entries(requests))(
    'unionpay checklist 2: the digest of %s is the published one, in lower case',
    (_, { text, digest }) => {
      const { signature: _signature, ...message } = vectorMessage({ text, signature: '' })
      expect(sha256(signingText(shuffled(message)))).toBe(digest)
    },
  )

  test.each(Object.entries(requests))(
    'unionpay checklist 3: the published signature of %s is over the hex of that digest',
    (_, { digest, signature }) => {
      expect(isSignedByMerchant(digest, signature)).toBe(true)
    },
  )

  test('unionpay checklist 3: our signature is PKCS#1 v1.5 over the hex of the digest, bit for bit', async () => {
    const { signature: _published, ...message } = vectorMessage(requests.first)
    const { signature, ...signed } = await signFields(await signerOf(merchantPem), message)
    const text = requests.first.text.replace('certId=69903319369', `certId=${certId}`)
    expect<unknown>(signed).toEqual({ ...message, certId })
    const expected = sign('sha256', Buffer.from(sha256(text)), merchantPem).toString('base64')
    expect(signature).toBe(expected)
  })

  test('unionpay checklist 4: the text itself is not what is signed', async () => {
    expect(isSignedByMerchant(requests.first.text, requests.first.signature)).toBe(false)
    const signed = await signFields(await signerOf(merchantPem), vectorMessage(requests.first))
    const direct = sign('sha256', Buffer.from(signingText(signed)), merchantPem)
    expect(signed['signature']).not.toBe(direct.toString('base64'))
  })

  test('unionpay checklist 5: what is empty, or blank, is neither signed nor sent', async () => {
    const fields = {
      ...vectorMessage(requests.first),
      reserved: '',
      orderDesc: '  ',
      accType: '01 ',
    }
    const signed = await signFields(await signerOf(merchantPem), fields)
    expect(Object.keys(signed)).not.toContain('reserved')
    expect(Object.keys(signed)).not.toContain('orderDesc')
    // The vendor trims, so an untrimmed value would be signed in vain.
    expect(signed['accType']).toBe('01')
    expect(signingText(signed)).not.toMatch(/reserved|orderDesc|accType=01 /)
  })

  test('unionpay checklist 6: names are in the order of their bytes', () => {
    const names = ['txnType', 'signPubKeyCert', 'Z', 'txnSubType', 'signMethod', 'txnTime', 'a']
    const text = signingText(Object.fromEntries(names.map((name) => [name, '1'])))
    expect(text.split('&').map((pair) => pair.split('=')[0])).toEqual([
      'Z',
      'a',
      'signMethod',
      'signPubKeyCert',
      'txnSubType',
      'txnTime',
      'txnType',
    ])
  })

  test('unionpay checklist 7: a signature comes through the encoded body unchanged', () => {
    const body = encodeForm([['signature', requests.first.signature]])
    expect(body).toContain('%2B')
    expect(body).toContain('%3D%3D')
    // UnionPay dossier, section 7.14: upper-case escapes only.
    expect(body).not.toMatch(/%[0-9A-F]?[a-f]/)
    const form = readForm(Buffer.from(body), { bytesMax: 10_000, fieldsMax: 5 })
    assert(form.kind === 'read', 'the form reads')
    expect(Buffer.from(form.fields[0]?.[1] ?? []).toString()).toBe(requests.first.signature)
  })

  test('unionpay checklist 8: certId is the whole serial in decimal', () => {
    const merchant = new X509Certificate(vector.merchantCertificate)
    expect(merchant.serialNumber).toBe('1046900149')
    expect(certIdOf(merchant)).toBe('69903319369')
    expect(certIdOf(new X509Certificate(vector.vendorCertificate2015))).toBe('68759585097')
  })
})

/** The answer as the vendor's bytes, to a query of ours with this order and time. */
async function queried(message: Message, at: Date) {
  await using vendor = startVendor([() => new Response(rawOf(message))], {
    at,
    settings: { merId: vectorMerId },
  })
  const paymentId: PaymentId = mint(message['orderId'] ?? '')
  const vendorTime = message['txnTime'] ?? ''
  return await vendor.channel.queryPayment({ ...reference, paymentId, vendorTime }, vendor.record)
}

describe('published answers and notices', () => {
  test.each([
    ['query2024', '442401051450467846498', '0105'],
    ['query2022', '512209110416475616528', '0911'],
  ] as const)('unionpay checklist 11: %s verifies and is read', async (name, queryId, date) => {
    const message = vectorMessage(responses[name])
    expect(await queried(message, inTime)).toEqual({
      kind: 'found',
      facts: {
        kind: 'payment',
        paymentNumber: message['orderId'] ?? '',
        identity: { merId: vectorMerId },
        vendorState: 'success',
        vendorStateText: '00',
        vendorTime: message['txnTime'] ?? '',
        channelPaymentId: queryId,
        amountMinor: 1n,
        currency: 'CNY',
        clearingDate: date,
      },
    })
  })

  test.each([
    ['void', { kind: 'other', eventType: 'acp:31' }],
    ['refund', { kind: 'refund', refundNumber: 'refundpay20240105165842', amountMinor: 1n }],
  ] as const)('unionpay checklist 11: the answer to a %s verifies', async (name, facts) => {
    const message = vectorMessage(responses[name])
    const built = buildChannel({ at: inTime })
    // As a notice: the same fields and signature, encoded.
    const reading = await read(formOf(message), built)
    expect(reading).toMatchObject({ kind: 'verified', notification: { facts } })
  })

  test('unionpay checklist 11: the notice verifies and is read', async () => {
    const reading = await read(formOf(vectorMessage(notice)), buildChannel({ at: inTime }))
    expect(reading).toMatchObject({
      kind: 'verified',
      notification: {
        eventKey: 'acp:01:01:yansongda20220908132206:20220908132206:782209081322060674028:00',
        keySerial: '69678957876',
      },
    })
    expect(factsOf(reading)).toMatchObject({ amountMinor: 1n, clearingDate: '0908' })
  })

  test('unionpay checklist 12: from the end of the certificate they do not verify', async () => {
    const message = vectorMessage(responses.query2024)
    const last = new Date(atEnd.getTime() - 1000)
    expect((await queried(message, last)).kind).toBe('found')
    expect(await queried(message, atEnd)).toEqual({
      kind: 'unknown',
      cause: 'untrusted_certificate',
    })
    const built = buildChannel({ at: atEnd })
    expect(reasonOf(await read(formOf(vectorMessage(notice)), built))).toBe('untrusted_certificate')
  })

  test('every published message has the published digest after it is read', () => {
    for (const { text, digest, signature } of [notice, ...Object.values(responses)]) {
      const body = Buffer.from(rawOf(vectorMessage({ text, signature })))
      const fields = (parseAnswer(body) ?? []).map(([name, value]): [string, string] => [
        name,
        Buffer.from(value).toString(),
      ])
      expect(sha256(signingText(Object.fromEntries(fields)))).toBe(digest)
    }
  })
})

describe('derived vectors', () => {
  const old = requests.first.text.replace('version=5.1.0', 'version=5.0.0')

  test('the text of 5.0.0 is the same but for the version, and its signature has another hash', () => {
    const text = signingText({ ...vectorMessage(requests.first), version: '5.0.0' })
    expect(text).toBe(old)
    const digest = createHash('sha1').update(text).digest('hex')
    expect(digest).toBe(derived.sha1Digest)
    const signature = Buffer.from(derived.sha1Signature, 'base64')
    expect(verify('sha1', Buffer.from(digest), publicKey, signature)).toBe(true)
  })

  test('the text of a shared-key message is built by the same rule', () => {
    const message = vectorMessage({ text: derived.sharedKeyText, signature: '' })
    const text = signingText(shuffled(message))
    expect(text).toBe(derived.sharedKeyText)
    expect(sha256(`${text}&${sha256(derived.sharedKey)}`)).toBe(derived.sharedKeySignature)
  })

  test.each([
    ['5.0.0', { version: '5.0.0' }],
    ['a shared key', { signMethod: '11' }],
    ['SM3', { signMethod: '12' }],
  ])('a notice signed as with %s is refused whatever its signature', async (_, changes) => {
    expect(reasonOf(await readSigned(changes))).toBe('wrong_algorithm')
  })
})
