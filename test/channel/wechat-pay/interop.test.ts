import { describe, expect, test } from 'bun:test'
import { createPublicKey, verify as verifyRsa } from 'node:crypto'
import { Aes, Formatter, Rsa } from 'wechatpay-axios-plugin'
import WechatPayNode from 'wechatpay-node-v3'
import * as native from '#channel/crypto-native'
import { importSigningKey, sign, utf8 } from '#channel/crypto'
import { authorize, requestMessage, signForClient } from '#channel/wechat-pay/signature'
import { assert } from '#domain/assert'
import { contentOf, publicOf } from '../support.ts'
import {
  apiv3Key,
  appid,
  buildChannel,
  callbackOf,
  envelopeOf,
  mchid,
  merchantPem,
  merchantSerial,
  notifiedAt,
  orderOf,
  otherPem,
  publicKeyId,
} from './support.ts'

const merchantPublic = publicOf(merchantPem)
const target = '/v3/pay/transactions/native'
const timestamp = String(notifiedAt)
const nonce = '593BEC0C930BF1AFEB40B4A08C8FB242'
const body = '{"description":"Image形象店-深圳腾大-QQ公仔"}'
const request = { method: 'POST', target, timestamp, nonce, body }

const node = new WechatPayNode({
  appid,
  mchid,
  serial_no: merchantSerial,
  publicKey: Buffer.from(merchantPublic),
  privateKey: Buffer.from(merchantPem),
  key: apiv3Key,
})

async function signerOf(pem: string) {
  const key = await importSigningKey(pem)
  assert(key !== undefined, 'the fixture key is a private key')
  return { serial: merchantSerial, key }
}

function isOurs(message: string, signature: string): boolean {
  const key = native.importVerifyingKey(merchantPublic)
  assert(key !== undefined, 'the fixture key is a public key')
  return native.verify(key, utf8(message), signature)
}

const fieldsOf = (header: string): Record<string, string> =>
  Object.fromEntries(
    [...header.matchAll(/([a-z_]+)="([^"]*)"/g)].map((match) => [match[1] ?? '', match[2] ?? '']),
  )

describe('wechatpay-axios-plugin', () => {
  test('verifies what we sign, and signs the same bytes', async () => {
    const signer = await signerOf(merchantPem)
    const theirs = Formatter.request('POST', target, timestamp, nonce, body)
    expect(theirs).toBe(requestMessage(request))
    const signature = await sign(signer.key, requestMessage(request))
    expect(Rsa.verify(theirs, signature, merchantPublic)).toBe(true)
    expect(Rsa.sign(theirs, merchantPem)).toBe(signature)
    expect(isOurs(theirs, Rsa.sign(theirs, merchantPem))).toBe(true)
  })

  test('makes the same Authorization', async () => {
    const ours = await authorize(mchid, await signerOf(merchantPem), request)
    const signature = fieldsOf(ours)['signature'] ?? ''
    const theirs = Formatter.authorization(mchid, nonce, signature, timestamp, merchantSerial)
    expect(fieldsOf(ours)).toEqual(fieldsOf(theirs))
    expect(ours.split(' ')[0]).toBe(theirs.split(' ')[0] ?? '')
  })

  test('a notification that it seals and signs is read by us', async () => {
    const built = buildChannel()
    const sealed = Aes.AesGcm.encrypt(orderOf(), apiv3Key, 'fdasflkja484', 'transaction')
    const sent = envelopeOf('').replace(/"ciphertext":"[^"]*"/, `"ciphertext":"${sealed}"`)
    const reading = await built.channel.readCallback(
      callbackOf(built, sent, {
        'wechatpay-timestamp': timestamp,
        'wechatpay-nonce': nonce,
        'wechatpay-serial': publicKeyId,
        'wechatpay-signature': Rsa.sign(Formatter.response(timestamp, nonce, sent), otherPem),
      }),
    )
    expect(contentOf(reading).facts).toMatchObject({ kind: 'payment', amountMinor: 10_000n })
  })
})

describe('wechatpay-node-v3', () => {
  test('what it signs for a request we verify', () => {
    const signature = node.getSignature('POST', nonce, timestamp, target, body)
    expect(isOurs(requestMessage(request), signature)).toBe(true)
    const query = { ...request, method: 'GET', body: '' }
    expect(isOurs(requestMessage(query), node.getSignature('GET', nonce, timestamp, target))).toBe(
      true,
    )
  })

  test('makes the same Authorization', async () => {
    const ours = await authorize(mchid, await signerOf(merchantPem), request)
    const signature = fieldsOf(ours)['signature'] ?? ''
    expect(fieldsOf(node.getAuthorization(nonce, timestamp, signature))).toEqual(fieldsOf(ours))
  })

  test('signs the same client parameters', async () => {
    const prepay = 'prepay_id=wx201410272009395522657a690389285100'
    const ours = await signForClient(await signerOf(merchantPem), {
      appid,
      timestamp,
      nonce,
      prepay,
    })
    expect(ours).toBe(node.sha256WithRsa(`${appid}\n${timestamp}\n${nonce}\n${prepay}\n`))
  })

  test('opens what we open', () => {
    const parsed: unknown = JSON.parse(envelopeOf(orderOf()))
    const ciphertext = /"ciphertext":"([^"]*)"/.exec(JSON.stringify(parsed))?.[1] ?? ''
    expect(node.decipher_gcm(ciphertext, 'transaction', 'fdasflkja484', apiv3Key)).toEqual(
      JSON.parse(orderOf()),
    )
  })
})

test('node:crypto verifies what we sign', async () => {
  const signature = await sign((await signerOf(merchantPem)).key, 'text')
  const key = createPublicKey(merchantPublic)
  expect(verifyRsa('sha256', Buffer.from('text'), key, Buffer.from(signature, 'base64'))).toBe(true)
})
