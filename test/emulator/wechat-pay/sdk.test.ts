import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Aes, Formatter, Rsa, Wechatpay } from 'wechatpay-axios-plugin'
import { z } from 'zod'

import { parseJson } from '../config.ts'
import type { TestMerchant } from './merchant.ts'
import { MCHID, prepayBody, startTestMerchant } from './merchant.ts'

// A public SDK as the merchant: it was written by others, against the real vendor.
let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant()
})

afterAll(async () => {
  await merchant.stop()
})

const answerSchema = z.object({ status: z.int(), data: z.unknown() })

function newClient() {
  const { vendor, merchant: mine } = merchant.keys
  const client = new Wechatpay({
    mchid: MCHID,
    serial: mine.certificateSerial,
    privateKey: mine.privateKeyPem,
    certs: {
      [vendor.publicKeyId]: vendor.publicKeyPem,
      [vendor.certificateSerial]: vendor.certificatePem,
    },
    baseURL: merchant.emulator.url,
  })
  return client
}

describe('a public SDK', () => {
  test('buys, queries and closes, and believes every signature', async () => {
    const client = newClient()
    const body = prepayBody('SDK00001', merchant.notifyUrl)
    const made = answerSchema.parse(await client.chain('v3/pay/transactions/native').post(body))
    expect(made).toMatchObject({ status: 200, data: { code_url: expect.any(String) } })
    const path = 'v3/pay/transactions/out-trade-no/SDK00001'
    const params = { mchid: MCHID }
    const asked = answerSchema.parse(await client.chain(path).get({ params }))
    expect(asked).toMatchObject({ status: 200, data: { trade_state: 'NOTPAY' } })
    const closed = answerSchema.parse(await client.chain(`${path}/close`).post(params))
    expect(closed.status).toBe(204)
  })

  test('refuses an answer signed with a key nobody knows', async () => {
    merchant.emulator.setKnobs({ badlySignedAnswers: 1 })
    const path = 'v3/pay/transactions/out-trade-no/SDK00001'
    const params = { mchid: MCHID }
    const asking = newClient().chain(path).get({ params })
    expect(await asking.then(() => 'believed').catch(() => 'refused')).toBe('refused')
  })

  test('verifies and opens a callback', async () => {
    await merchant.prepay('SDK00002')
    const paid = merchant.emulator.pay('SDK00002')
    if (paid.kind === 'paid') await paid.done
    const callback = merchant.received.at(-1)
    if (callback === undefined) throw new Error('expected a callback, got none')
    const header = (name: string): string => callback.headers.get(`wechatpay-${name}`) ?? ''
    const message = Formatter.response(header('timestamp'), header('nonce'), callback.body)
    const { vendor, merchant: mine } = merchant.keys
    expect(Rsa.verify(message, header('signature'), vendor.publicKeyPem)).toBe(true)
    const { resource } = z
      .object({
        resource: z.object({
          ciphertext: z.string(),
          nonce: z.string(),
          associated_data: z.string(),
        }),
      })
      .parse(parseJson(callback.body))
    const text = Aes.AesGcm.decrypt(
      resource.ciphertext,
      mine.apiV3Key,
      resource.nonce,
      resource.associated_data,
    )
    expect(parseJson(text)).toMatchObject({ out_trade_no: 'SDK00002', trade_state: 'SUCCESS' })
  })
})
