import { describe, expect, test } from 'bun:test'

import { signMessage } from '../core/rsa.ts'
import { readForm } from './buyer.ts'
import { certificateNumber, numberDigest, rootNumber } from './certificate-number.ts'
import { asciiField, encodeForm, readFields, splitForm } from './form.ts'
import { armour, isTextSigned, noticeText, requestText, signText } from './signature.ts'
import vector from './vector.json' with { type: 'json' }

// The vectors of the dossier, sections 7.2 and 7.3 and appendix A.

const privatePem = armour(vector.privateKey, 'PRIVATE KEY')
const GBK = { charset: 'gbk', signType: 'RSA2' } as const

const fieldsOf = (
  text: string,
  charset: 'utf-8' | 'gbk' = 'utf-8',
): ReadonlyMap<string, string> => {
  const fields = readFields(splitForm(text), charset)
  if (fields === undefined) throw new Error('expected every name once')
  return fields
}

const verifies = (publicKey: string, text: string, signature: string): boolean =>
  isTextSigned(armour(publicKey, 'PUBLIC KEY'), { text, signature })

describe('certificate numbers', () => {
  test.each(vector.numbers)('digests $issuer $serial', ({ issuer, serial, number }) => {
    expect(numberDigest(issuer, serial)).toBe(number)
  })

  test('reads issuer and serial out of certificates', () => {
    expect(certificateNumber(vector.appCertificate)).toBe('866efef280dec9137a87d047ac446315')
    expect(certificateNumber(vector.alipayCertificate)).toBe('7513daaaa48aa3ba2e4018d84402479c')
  })

  test('skips the SM2 and the ECDSA root', () => {
    expect(rootNumber(vector.roots)).toBe(
      '687b59193f3f462dd5336e5abf83c5d8_02941eef3187dddf3d3b83462e1dfcf6',
    )
  })
})

describe('request signatures', () => {
  test('T-Q1 verifies, and fails with one letter changed', () => {
    const { text, sign, publicKey } = vector.requestQ1
    expect(verifies(publicKey, text, sign)).toBe(true)
    expect(verifies(publicKey, text.replace('query', 'Query'), sign)).toBe(false)
  })

  test('D1 is read out of its transmission and signed byte for byte', () => {
    const { text, sign, query, body } = vector.d1
    const parameters = fieldsOf(`${query}&${body}`)
    expect(requestText(parameters)).toBe(text)
    expect(parameters.get('sign')).toBe(sign)
    expect(signText(privatePem, text)).toBe(sign)
  })

  test('D2 is the same in GBK', () => {
    const text = vector.d1.text.replace('charset=UTF-8', 'charset=GBK')
    expect(signText(privatePem, text, GBK)).toBe(vector.d2.sign)
  })

  test('D3 is the same with SHA-1', () => {
    const text = vector.d1.text.replace('sign_type=RSA2', 'sign_type=RSA')
    const signed = signText(privatePem, text, { charset: 'utf-8', signType: 'RSA' })
    expect(signed).toBe(vector.d3.sign)
  })

  test('D11 is an order string', () => {
    const { text, orderString } = vector.d11
    const parameters = fieldsOf(orderString)
    expect(requestText(parameters)).toBe(text)
    expect(parameters.get('sign')).toBe(signText(privatePem, text))
    expect(encodeForm(parameters, 'utf-8')).toBe(orderString)
  })

  test('D12 is a form that a browser reads', () => {
    const { action, fields } = readForm(vector.d12.form)
    const parameters = fieldsOf(`${new URL(action).search.slice(1)}`)
    const all = new Map([...parameters, ...Object.entries(fields)])
    expect(requestText(all)).toBe(vector.d12.text)
    expect(all.get('sign')).toBe(signText(privatePem, vector.d12.text))
  })
})

describe('answers', () => {
  test.each(vector.answers)('$name verifies over its node', ({ publicKey, text, sign }) => {
    expect(verifies(publicKey, text, sign)).toBe(true)
    expect(verifies(publicKey, text.replace('"code"', '"Code"'), sign)).toBe(false)
  })

  test('D6 is signed like that', () => {
    const answer = vector.answers.find(({ name }) => name === 'D6')
    expect(signMessage(privatePem, answer?.text ?? '')).toBe(answer?.sign ?? '')
  })
})

describe('notices and returns', () => {
  test.each(vector.notices)('$name verifies without sign_type', ({ publicKey, text, sign }) => {
    const fields = new Map(text.split('&').map((part) => splitOnce(part)))
    expect(noticeText(new Map([...fields, ['sign_type', 'RSA2'], ['sign', sign]]))).toBe(text)
    expect(verifies(publicKey, text, sign)).toBe(true)
    const kept = text.replace('&subject=', '&sign_type=RSA2&subject=')
    expect(verifies(publicKey, kept, sign)).toBe(false)
  })

  test('T-N1 is a return', () => {
    const { query, text, publicKey } = vector.returnN1
    const fields = fieldsOf(query)
    expect(noticeText(fields)).toBe(text)
    expect(verifies(publicKey, text, fields.get('sign') ?? '')).toBe(true)
  })

  test('D10 is a notice in GBK', () => {
    const { body, text } = vector.d10
    const raw = splitForm(body)
    expect(asciiField(raw, 'charset')).toBe('GBK')
    const fields = fieldsOf(body, 'gbk')
    expect(noticeText(fields)).toBe(text)
    expect(signText(privatePem, text, GBK)).toBe(fields.get('sign') ?? '')
    expect(encodeForm(fields, 'gbk')).toBe(body)
  })
})

function splitOnce(part: string): [string, string] {
  const equals = part.indexOf('=')
  return [part.slice(0, equals), part.slice(equals + 1)]
}
