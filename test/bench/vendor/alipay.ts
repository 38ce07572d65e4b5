import { z } from 'zod'
import { assert } from '#domain/assert'
import { AlipayCourier } from '../../emulator/alipay/courier.ts'
import { makeAlipayKeys } from '../../emulator/alipay/keys.ts'
import { knobsSchema } from '../../emulator/alipay/knobs.ts'
import { newEvent, noticeFields } from '../../emulator/alipay/notice.ts'
import { BUYER, claimPaid, newTrade } from '../../emulator/alipay/trade.ts'
import type { Offer } from '../../emulator/alipay/trade.ts'
import { FaultPanel } from '../../emulator/core/knobs.ts'
import { AMOUNT_FEN, CALLBACK_URL, SUBJECT, VENDOR_URL, paymentNumber } from './vendor.ts'
import type { BenchVendor } from './vendor.ts'

const schema = z.object({
  app: z.object({ privateKeyPem: z.string(), publicKeyPem: z.string() }),
  vendor: z.object({ privateKeyPem: z.string(), publicKeyPem: z.string() }),
})

const APP_ID = '2021000000000109'
const SELLER_ID = '2088000000000109'

export const alipay: BenchVendor<z.infer<typeof schema>> = {
  schema,
  makeKeys: () => makeAlipayKeys(),
  account: ({ app, vendor }) => ({
    strategy: 'alipay',
    settings: { app_id: APP_ID, seller_id: SELLER_ID, gateway_url: `${VENDOR_URL}/gateway.do` },
    keys: [
      { purpose: 'merchant_private', serial: 'app', value: app.privateKeyPem },
      { purpose: 'vendor_public', serial: 'alipay', value: vendor.publicKeyPem },
    ],
  }),
  signer: (keys, now) => {
    const app = { appId: APP_ID, sellerId: SELLER_ID, appPublicKeyPem: keys.app.publicKeyPem }
    const courier = new AlipayCourier({
      panel: new FaultPanel(knobsSchema),
      now: () => now,
      rogueKeyPem: '',
      keyFor: () => ({ privatePem: keys.vendor.privateKeyPem, certificateNumber: undefined }),
    })
    return (index) => {
      const trade = claimPaid(newTrade(offerOf(index, now), now), now)
      const fields = noticeFields(trade, { buyer: [['buyer_open_id', BUYER.openId]] })
      const event = newEvent({ trade, app, url: CALLBACK_URL, fields, now })
      assert(event !== undefined, 'a trade with an address has an event')
      const { headers, body } = courier.pack(event, 'genuine')
      return { headers: { ...headers }, body: body.toString() }
    }
  },
}

const offerOf = (index: number, now: Date): Offer => ({
  product: 'precreate',
  appId: APP_ID,
  sellerId: SELLER_ID,
  outTradeNo: paymentNumber(index),
  totalFen: AMOUNT_FEN,
  subject: SUBJECT,
  notifyUrl: CALLBACK_URL,
  charset: 'utf-8',
  expiresAt: now,
  isFaceToFace: false,
})
