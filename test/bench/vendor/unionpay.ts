import { z } from 'zod'
import { chinaDigits } from '../../emulator/core/china-time.ts'
import { makeMerchantKeys, makeVendorKeys } from '../../emulator/unionpay/keys.ts'
import { writeFields } from '../../emulator/unionpay/message.ts'
import type { Fields } from '../../emulator/unionpay/message.ts'
import { callbackFields, newAttempt, newOrder } from '../../emulator/unionpay/order.ts'
import { certificateText } from '../../emulator/unionpay/seal.ts'
import { signFields } from '../../emulator/unionpay/signature.ts'
import { AMOUNT_FEN, CALLBACK_URL, VENDOR_URL, paymentNumber } from './vendor.ts'
import type { BenchVendor } from './vendor.ts'

const certified = z.object({ certificatePem: z.string(), privatePem: z.string() })

const schema = z.object({
  merchant: z.object({ certId: z.string(), privatePem: z.string(), publicPem: z.string() }),
  vendor: z.object({ root: certified, intermediate: certified, signing: certified }),
})

const MER_ID = '777290058110109'
const CHARSET = 'UTF-8'

export const unionpay: BenchVendor<z.infer<typeof schema>> = {
  schema,
  async makeKeys(now) {
    const vendor = await makeVendorKeys(now)
    return { vendor, merchant: await makeMerchantKeys(vendor, now) }
  },
  account: ({ merchant, vendor }) => ({
    strategy: 'unionpay',
    settings: { merId: MER_ID, base_url: VENDOR_URL },
    keys: [
      { purpose: 'merchant_private', serial: merchant.certId, value: merchant.privatePem },
      { purpose: 'vendor_root', serial: 'root', value: vendor.root.certificatePem },
      { purpose: 'vendor_root', serial: 'intermediate', value: vendor.intermediate.certificatePem },
    ],
  }),
  signer:
    ({ merchant, vendor }, now) =>
    (index) => {
      const named: Fields = {
        ...successOf(index, merchant.publicPem, now),
        signMethod: '01',
        signPubKeyCert: certificateText(vendor.signing.certificatePem),
      }
      const signed = { ...named, signature: signFields(named, vendor.signing.privatePem) }
      const bytes = writeFields(signed, { charset: CHARSET, escapes: 'plus' })
      return {
        headers: { 'Content-Type': `application/x-www-form-urlencoded;charset=${CHARSET}` },
        body: Buffer.from(bytes).toString(),
      }
    },
}

/** What the vendor tells of an order by QR code that was paid. */
function successOf(index: number, merchantPublicPem: string, now: Date): Fields {
  const fields: Fields = {
    version: '5.1.0',
    encoding: CHARSET,
    bizType: '000000',
    txnType: '01',
    txnSubType: '07',
    accessType: '0',
    merId: MER_ID,
    orderId: paymentNumber(index),
    txnTime: chinaDigits(now),
    txnAmt: String(AMOUNT_FEN),
    currencyCode: '156',
    backUrl: CALLBACK_URL,
  }
  const message = { operation: 'qr', fields, charset: CHARSET, merchantPublicPem } as const
  const order = newOrder(message, { product: 'qr', credential: undefined, now })
  return callbackFields(order, newAttempt('00', BigInt(AMOUNT_FEN), now))
}
