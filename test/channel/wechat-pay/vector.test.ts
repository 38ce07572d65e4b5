import { describe, expect, test } from 'bun:test'
import {
  importSigningKey,
  importSymmetricKey,
  importVerifyingKey,
  openSealed,
  sha256Hex,
  sign,
  utf8,
  verify,
} from '#channel/crypto'
import * as native from '#channel/crypto-native'
import { readCertificate } from '#channel/wechat-pay/key'
import {
  authorize,
  checkSignature,
  requestMessage,
  signForClient,
} from '#channel/wechat-pay/signature'
import { assert } from '#domain/assert'
import aead from '../../fixture/wechat-pay/aead.json'
import signing from '../../fixture/wechat-pay/signing.json'
import verifying from '../../fixture/wechat-pay/verifying.json'
import { atSecond, clockAt, publicOf } from '../support.ts'
import { merchantPem, otherPem, vendorPem } from './support.ts'

async function signerOf(pem: string) {
  const key = await importSigningKey(pem)
  assert(key !== undefined, 'the fixture key is a private key')
  return { serial: signing.serial, key }
}

function nativeKey(pem: string) {
  const key = native.importVerifyingKey(pem)
  assert(key !== undefined, 'the fixture key is a public key')
  return key
}

describe('vendor documentation vectors', () => {
  test.each(signing.vectors)(
    'wechatpay checklist 1: $name is signed bit for bit',
    async (vector) => {
      const signer = await signerOf(merchantPem)
      const signature =
        vector.kind === 'client'
          ? await signForClient(signer, {
              appid: vector.appid ?? '',
              timestamp: vector.timestamp,
              nonce: vector.nonce,
              prepay: vector.prepay ?? '',
            })
          : await sign(signer.key, messageOf(vector))
      expect(signature).toBe(vector.signature)
    },
  )

  test('wechatpay checklist 2: five lines end with LF, an empty body gives two at the end', () => {
    const request = { method: 'GET', target: '/a', timestamp: '1', nonce: 'n', body: '' }
    expect(requestMessage(request)).toBe('GET\n/a\n1\nn\n\n')
    expect(requestMessage({ ...request, body: 'x\n' })).toBe('GET\n/a\n1\nn\nx\n\n')
  })

  test('wechatpay checklist 3: the signed target keeps its encoding and order', () => {
    const target = signing.vectors.find((vector) => vector.name === 'V5')?.target ?? ''
    expect(target).toContain('%3D%7B%22')
    const request = { method: 'GET', target, timestamp: '1', nonce: 'n', body: '' }
    expect(requestMessage(request)).toBe(`GET\n${target}\n1\nn\n\n`)
  })

  test('wechatpay checklist 5: an upload signs its meta text with every blank (V4)', async () => {
    const vector = signing.vectors.find((item) => item.name === 'V4')
    assert(vector?.body !== undefined, 'V4 has a body')
    const { key } = await signerOf(merchantPem)
    const other = { ...vector, body: vector.body.replace('{ ', '{') }
    expect(await sign(key, messageOf(vector))).toBe(vector.signature)
    expect(await sign(key, messageOf(other))).not.toBe(vector.signature)
  })

  test('wechatpay checklist 6: one blank after the scheme, five pairs, the merchant serial', async () => {
    const [vector] = signing.vectors
    assert(vector !== undefined, 'there is V1')
    const header = await authorize(signing.mchid, await signerOf(merchantPem), requestOf(vector))
    expect(header).toBe(
      `WECHATPAY2-SHA256-RSA2048 mchid="1900007291",nonce_str="${vector.nonce}",` +
        `signature="${vector.signature}",timestamp="1554208460",serial_no="${signing.serial}"`,
    )
  })

  test('Y2 verifies: only the raw bytes of a request matter', async () => {
    const { publicKey, signature, ...request } = verifying.requestY2
    expect(native.verify(nativeKey(publicKey), utf8(requestMessage(request)), signature)).toBe(true)
  })
})

type SigningVector = (typeof signing.vectors)[number]

const requestOf = (vector: SigningVector) => ({
  method: vector.method ?? '',
  target: vector.target ?? '',
  timestamp: vector.timestamp,
  nonce: vector.nonce,
  body: vector.body ?? '',
})

const messageOf = (vector: SigningVector): string => requestMessage(requestOf(vector))

type AnswerVector = (typeof verifying.answers)[number]

function checkAnswer(vector: AnswerVector, changes: Partial<AnswerVector> = {}) {
  const sent = { ...vector, ...changes }
  return checkSignature(
    () => nativeKey(vector.publicKey),
    clockAt(atSecond(Number(vector.timestamp))),
    {
      headers: {
        'wechatpay-timestamp': sent.timestamp,
        'wechatpay-nonce': sent.nonce,
        'wechatpay-serial': 'D7CE59D1F522D701',
        'wechatpay-signature': sent.signature,
      },
      body: utf8(sent.body),
    },
  )
}

const flip = (text: string): string => {
  const code = text.charCodeAt(0)
  return String.fromCharCode(code ^ 1) + text.slice(1)
}

describe('answers and notifications', () => {
  test.each(verifying.answers)('wechatpay checklist 14: $name verifies', (vector) => {
    expect(checkAnswer(vector).kind).toBe('valid')
  })

  test.each(verifying.answers)(
    'wechatpay checklist 14: $name fails with one changed byte of body, nonce or time',
    (vector) => {
      expect(checkAnswer(vector, { body: vector.body === '' ? ' ' : flip(vector.body) }).kind).toBe(
        'invalid',
      )
      expect(checkAnswer(vector, { nonce: flip(vector.nonce) }).kind).toBe('invalid')
      const later = String(Number(vector.timestamp) + 1)
      expect(checkAnswer(vector, { timestamp: later }).kind).toBe('invalid')
    },
  )

  test.each(verifying.messages)('$name signs and verifies', async (vector) => {
    const pem = vector.key === 'G' ? vendorPem : otherPem
    const { key } = await signerOf(pem)
    expect(await sign(key, vector.message)).toBe(vector.signature)
    const slow = await importVerifyingKey(publicOf(pem))
    assert(slow !== undefined, 'the public half is a key')
    expect(await verify(slow, utf8(vector.message), vector.signature)).toBe(true)
    expect(native.verify(nativeKey(publicOf(pem)), utf8(vector.message), vector.signature)).toBe(
      true,
    )
  })

  test('G2 refuses another message, no message, no signature and text that is not base64', async () => {
    const [g1] = verifying.messages
    assert(g1 !== undefined, 'there is G1')
    const key = nativeKey(verifying.publicKeyG)
    const slow = await importVerifyingKey(verifying.publicKeyG)
    assert(slow !== undefined, 'the public half is a key')
    for (const [message, signature] of [
      ['wrong source', g1.signature],
      ['', g1.signature],
      ['source', ''],
      ['source', 'not base64'],
      ['source', g1.signature.slice(0, -1)],
    ] as const) {
      expect(native.verify(key, utf8(message), signature)).toBe(false)
      expect(await verify(slow, utf8(message), signature)).toBe(false)
    }
  })
})

const bytesOf = (vector: (typeof aead.vectors)[number]) => ({
  nonce: utf8(vector.nonce),
  associatedData: utf8(vector.associatedData),
  ciphertext: Uint8Array.from(Buffer.from(vector.ciphertext, 'base64')),
})

describe('AES-GCM', () => {
  test.each(aead.vectors)(
    'wechatpay checklist 24: $name opens in both libraries',
    async (vector) => {
      const fast = native.importSymmetricKey(utf8(vector.key))
      const slow = await importSymmetricKey(utf8(vector.key))
      assert(fast !== undefined && slow !== undefined, 'the fixture key has a good length')
      const opened = native.openSealed(fast, bytesOf(vector))
      assert(opened !== undefined, `${vector.name} opens`)
      expect(await openSealed(slow, bytesOf(vector))).toEqual(Uint8Array.from(opened))
      if (vector.plaintext !== undefined) {
        expect(Buffer.from(opened).toString()).toBe(vector.plaintext)
        return
      }
      expect(await sha256Hex(opened)).toBe(vector.sha256)
      expect(readCertificate(Buffer.from(opened).toString(), vector.serial)?.serial).toBe(
        vector.serial,
      )
    },
  )

  test.each(aead.vectors)(
    'wechatpay checklist 24: $name stays shut with changed data, nonce, tag or key',
    async (vector) => {
      const good = bytesOf(vector)
      const tampered = Uint8Array.from(good.ciphertext)
      tampered[tampered.length - 1] = (tampered.at(-1) ?? 0) ^ 1
      for (const sealed of [
        { ...good, associatedData: utf8(`${vector.associatedData}x`) },
        { ...good, nonce: utf8(flip(vector.nonce)) },
        { ...good, nonce: new Uint8Array() },
        { ...good, ciphertext: tampered },
        { ...good, ciphertext: good.ciphertext.subarray(0, 8) },
      ]) {
        const fast = native.importSymmetricKey(utf8(vector.key))
        const slow = await importSymmetricKey(utf8(vector.key))
        assert(fast !== undefined && slow !== undefined, 'the fixture key has a good length')
        expect(native.openSealed(fast, sealed)).toBeUndefined()
        expect(await openSealed(slow, sealed)).toBeUndefined()
      }
    },
  )
})
