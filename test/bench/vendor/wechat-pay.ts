import { z } from 'zod'
import { signCallback } from '../../emulator/wechat-pay/callback.ts'
import { makeWechatPayKeys } from '../../emulator/wechat-pay/keys.ts'
import type { WechatPayKeys } from '../../emulator/wechat-pay/keys.ts'
import { claimSuccess, newOrder, orderObject } from '../../emulator/wechat-pay/order.ts'
import { APPID, MCHID } from '../../support/platform.ts'
import { AMOUNT_FEN, CALLBACK_URL, SUBJECT, VENDOR_URL, paymentNumber } from './vendor.ts'
import type { BenchVendor } from './vendor.ts'

const schema = z.object({
  merchant: z.object({
    privateKeyPem: z.string(),
    publicKeyPem: z.string(),
    certificateSerial: z.string(),
    apiV3Key: z.string(),
  }),
  vendor: z.object({
    publicKeyId: z.string(),
    publicKeyPem: z.string(),
    publicKeyPrivatePem: z.string(),
    certificateSerial: z.string(),
    certificatePem: z.string(),
    certificatePrivatePem: z.string(),
  }),
})

export const wechatPay: BenchVendor<WechatPayKeys> = {
  schema,
  makeKeys: () => makeWechatPayKeys(),
  account: ({ merchant, vendor }) => ({
    strategy: 'wechat-pay',
    settings: { mchid: MCHID, appid: APPID, base_url: VENDOR_URL },
    keys: [
      {
        purpose: 'merchant_private',
        serial: merchant.certificateSerial,
        value: merchant.privateKeyPem,
      },
      { purpose: 'vendor_public', serial: vendor.publicKeyId, value: vendor.publicKeyPem },
      { purpose: 'symmetric', serial: 'current', value: merchant.apiV3Key },
    ],
  }),
  signer: (keys, now) => (index) => {
    const body = {
      appid: APPID,
      mchid: MCHID,
      description: SUBJECT,
      out_trade_no: paymentNumber(index),
      notify_url: CALLBACK_URL,
      amount: { total: AMOUNT_FEN, currency: 'CNY' as const },
    }
    return signCallback({
      keys: keys.vendor,
      apiV3Key: keys.merchant.apiV3Key,
      plaintext: JSON.stringify(orderObject(claimSuccess(newOrder('native', body, now), now))),
      eventType: 'TRANSACTION.SUCCESS',
      id: crypto.randomUUID(),
      now,
      serialMode: 'public',
    })
  },
}
