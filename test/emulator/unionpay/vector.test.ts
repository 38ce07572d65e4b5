import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

import { signMessage } from '../core/rsa.ts'
import { certIdOf, makeUnionpayKeys } from './keys.ts'
import type { Fields } from './message.ts'
import { readForm, readRawFields, writeFields } from './message.ts'
import { certificateText } from './seal.ts'
import {
  hasSharedKeySignature,
  isAppResultSigned,
  isSigned,
  sharedKeySignature,
  signAppResult,
  signFields,
  signingDigest,
  signingString,
} from './signature.ts'

// The published messages of the dossier's section 6, checked with the emulator's own code.

const message = z.object({ text: z.string(), digest: z.string(), signature: z.string() })

const vectors = z
  .object({
    merchantCertificate: z.string(),
    vendorCertificate2020: z.string(),
    vendorCertificate2015: z.string(),
    requests: z.record(z.string(), message),
    responses: z.record(z.string(), message),
    notice: message,
    derived: z.object({
      sha1Digest: z.string(),
      sha1Signature: z.string(),
      sharedKey: z.string(),
      sharedKeyText: z.string(),
      sharedKeySignature: z.string(),
    }),
    app: z.object({ data: z.string(), signature: z.string() }),
  })
  .parse(
    JSON.parse(
      readFileSync(
        fileURLToPath(new URL('../../fixture/unionpay/vector.json', import.meta.url)),
        'utf8',
      ),
    ),
  )

const CERTIFICATE = certificateText(vectors.vendorCertificate2020)
const answers = { ...vectors.responses, notice: vectors.notice }

/** The published text with the certificate in its place, as a map in another order. */
function fieldsOf({ text, signature }: z.output<typeof message>): Fields {
  const whole = readRawFields(text.replace('{CERT}', CERTIFICATE))
  return Object.fromEntries([
    ['signature', signature],
    ...Object.entries(whole).reverse(),
    ['accSplitData', ''],
  ])
}

describe('a published request', () => {
  test.each(Object.entries(vectors.requests))(
    '%s has its text, digest and signature',
    (_, vector) => {
      const fields = fieldsOf(vector)
      expect(signingString(fields)).toBe(vector.text)
      expect(signingDigest(fields)).toBe(vector.digest)
      expect(isSigned(fields, vectors.merchantCertificate)).toBe(true)
      expect(isSigned({ ...fields, orderId: 'another0' }, vectors.merchantCertificate)).toBe(false)
      expect(isSigned(fields, vectors.vendorCertificate2020)).toBe(false)
    },
  )

  test('names its certificate by the decimal serial', () => {
    expect(certIdOf(vectors.merchantCertificate)).toBe('69903319369')
    expect(certIdOf(vectors.vendorCertificate2015)).toBe('68759585097')
  })
})

describe('a published answer', () => {
  test.each(Object.entries(answers))('%s has its text, digest and signature', (_, vector) => {
    const fields = fieldsOf(vector)
    expect(signingString(fields)).toBe(vector.text.replace('{CERT}', CERTIFICATE))
    expect(signingDigest(fields)).toBe(vector.digest)
    expect(isSigned(fields, CERTIFICATE)).toBe(true)
  })

  test.each(Object.entries(answers))('%s holds no more with LF in its certificate', (_, vector) => {
    const fields = fieldsOf(vector)
    const signPubKeyCert = CERTIFICATE.replaceAll('\r', '')
    expect(isSigned({ ...fields, signPubKeyCert }, CERTIFICATE)).toBe(false)
  })

  test('survives the way there and back as a form, in both ways to write a blank', () => {
    const fields = fieldsOf(vectors.notice)
    for (const escapes of ['plus', 'percent'] as const) {
      const reading = readForm(writeFields(fields, { charset: 'UTF-8', escapes }))
      if (reading.kind !== 'read') throw new Error(`expected a form, got ${reading.why}`)
      expect(isSigned(reading.fields, CERTIFICATE)).toBe(true)
    }
  })
})

describe('derived vectors', () => {
  test('5.0.0 hashes twice with SHA-1', () => {
    const first = vectors.requests['first']
    if (first === undefined) throw new Error('expected the vector of section 6.2')
    const signature = vectors.derived.sha1Signature
    const fields = { ...fieldsOf(first), version: '5.0.0', signature }
    expect(signingDigest(fields)).toBe(vectors.derived.sha1Digest)
    expect(isSigned(fields, vectors.merchantCertificate)).toBe(true)
  })

  test('a shared key signs in hex', () => {
    const { sharedKey, sharedKeyText, sharedKeySignature: signature } = vectors.derived
    const fields = readRawFields(sharedKeyText)
    expect(sharedKeySignature(fields, sharedKey)).toBe(signature)
    expect(hasSharedKeySignature({ ...fields, signature }, sharedKey)).toBe(true)
    expect(hasSharedKeySignature({ ...fields, signature }, '88888889')).toBe(false)
    expect(hasSharedKeySignature(fields, sharedKey)).toBe(false)
  })

  test('the result of an app is SHA-1 over the digest of its text', () => {
    const { data, signature } = vectors.app
    expect(isAppResultSigned(data, signature, vectors.vendorCertificate2015)).toBe(true)
    expect(isAppResultSigned(`${data}1`, signature, vectors.vendorCertificate2015)).toBe(false)
  })
})

test('our own signatures verify, and one over the text itself does not', async () => {
  const { merchant } = await makeUnionpayKeys()
  const fields = { version: '5.1.0', encoding: 'UTF-8', orderId: 'T0000001', merName: '茶' }
  const signature = signFields(fields, merchant.privatePem)
  expect(isSigned({ ...fields, signature }, merchant.certificatePem)).toBe(true)
  const raw = signMessage(merchant.privatePem, signingString(fields))
  expect(isSigned({ ...fields, signature: raw }, merchant.certificatePem)).toBe(false)
  const data = 'pay_result=success&tn=1&cert_id=1'
  const result = signAppResult(data, merchant.privatePem)
  expect(isAppResultSigned(data, result, merchant.certificatePem)).toBe(true)
})

test('sorts by byte, not as a person would', () => {
  const names = ['txnType', 'signPubKeyCert', 'b', 'txnTime', 'signMethod', 'txnSubType', 'B']
  const text = signingString(Object.fromEntries(names.map((name) => [name, '1'])))
  expect(text).toBe('B=1&b=1&signMethod=1&signPubKeyCert=1&txnSubType=1&txnTime=1&txnType=1')
})
