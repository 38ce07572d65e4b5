import { z } from 'zod'
import { FaultPanel } from '../../emulator/core/knobs.ts'
import { chargeObject } from '../../emulator/pingpp/charge.ts'
import type { EmulatedCharge } from '../../emulator/pingpp/charge.ts'
import { PingppCourier } from '../../emulator/pingpp/courier.ts'
import type { EmulatedEvent } from '../../emulator/pingpp/event.ts'
import {
  newChargeId,
  newRequestId,
  newToken,
  newTransactionNumber,
} from '../../emulator/pingpp/id.ts'
import { Keyring, makePingppKeys } from '../../emulator/pingpp/keys.ts'
import type { PingppKeys } from '../../emulator/pingpp/keys.ts'
import { knobsSchema } from '../../emulator/pingpp/knobs.ts'
import { AMOUNT_FEN, CALLBACK_URL, SUBJECT, VENDOR_URL, paymentNumber } from './vendor.ts'
import type { BenchVendor } from './vendor.ts'

const schema = z.object({
  merchant: z.object({
    liveKey: z.string(),
    testKey: z.string(),
    privateKeyPem: z.string(),
    publicKeyPem: z.string(),
  }),
  vendor: z.object({ publicKeyPem: z.string(), privateKeyPem: z.string() }),
})

const APP = 'app_bench'
const MS_PER_SECOND = 1000
const EVENT_DIGITS = 25

export const pingpp: BenchVendor<PingppKeys> = {
  schema,
  makeKeys: () => makePingppKeys(),
  account: ({ merchant, vendor }) => ({
    strategy: 'pingpp',
    settings: { app: APP, base_url: VENDOR_URL },
    keys: [
      { purpose: 'api_secret', serial: 'live', value: merchant.liveKey },
      { purpose: 'merchant_private', serial: 'current', value: merchant.privateKeyPem },
      { purpose: 'vendor_public', serial: 'current', value: vendor.publicKeyPem },
    ],
  }),
  signer: ({ vendor }, now) => {
    const courier = new PingppCourier({
      keyring: new Keyring(vendor),
      rogueKeyPem: '',
      panel: new FaultPanel(knobsSchema),
    })
    return (index) => {
      const orderNumber = paymentNumber(index)
      const event = eventOf(index, chargeOf(orderNumber, now))
      const content = { eventId: event.id, orderNumber, url: CALLBACK_URL }
      const parcel = courier.pack({ ...content, body: courier.textOf(event) }, 'genuine')
      return { headers: { ...parcel.headers }, body: parcel.body.toString() }
    }
  },
}

/** The vendor's own ids are chance, and of so many in one second two would be the same. */
const eventOf = (index: number, charge: EmulatedCharge): EmulatedEvent => ({
  id: `evt_${String(index).padStart(EVENT_DIGITS, '0')}`,
  created: charge.created,
  livemode: true,
  type: 'charge.succeeded',
  object: chargeObject(charge, []),
  app: APP,
  requestId: charge.requestId,
  pendingWebhooks: 0,
})

function chargeOf(orderNumber: string, now: Date): EmulatedCharge {
  const seconds = Math.floor(now.getTime() / MS_PER_SECOND)
  return {
    id: newChargeId(now),
    livemode: true,
    body: {
      order_no: orderNumber,
      app: { id: APP },
      channel: 'alipay_qr',
      amount: AMOUNT_FEN,
      client_ip: '203.0.113.7',
      currency: 'cny',
      subject: SUBJECT,
      body: SUBJECT,
      extra: {},
      metadata: {},
    },
    created: seconds,
    timeExpire: seconds + 900,
    requestId: newRequestId(),
    token: newToken(now),
    credential: undefined,
    payment: { timePaid: seconds, transactionNumber: newTransactionNumber(now) },
    isReversed: false,
  }
}
