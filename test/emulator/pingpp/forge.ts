import type { Parcel } from '../core/courier.ts'
import type { Delivery } from '../core/delivery-log.ts'
import { parseJson } from '../config.ts'
import { newNonce } from '../core/random.ts'
import type { EmulatedCharge } from './charge.ts'
import { chargeObject } from './charge.ts'
import { SIGNATURE_HEADER } from './courier.ts'
import { newTransactionNumber } from './id.ts'
import type { PayOptions, PingppVendor } from './vendor.ts'

/** The ways to make a callback that must not be believed. */
export const FORGERIES = [
  /** Signed with a key nobody knows. */
  'rogue_key',
  /** Genuine, with one byte changed after the signature. */
  'tampered',
  'unsigned',
  'empty_signature',
  'bad_base64',
  /** Genuine, parsed and written again: the same content in other bytes. */
  'reserialised',
  /** Ping++'s own signature over an event of test mode, sent to where live events go. */
  'test_mode',
  /** Ping++'s own signature over an event of another app. */
  'other_app',
  /** Ping++'s own signature over `charge.succeeded` with `paid` false. */
  'not_paid',
] as const

export type Forgery = (typeof FORGERIES)[number]

/** A forged callback: a payment's success, whether it is paid or not. */
export interface ForgeRequest extends Pick<PayOptions, 'livemode' | 'app'> {
  readonly forgery: Forgery
  readonly orderNumber: string
  /** The first webhook of the app and mode unless given. */
  readonly url?: string
  /** Replaces the amount, fen. */
  readonly amount?: number
}

const APP_CHARACTERS = 16

/** Sends one forgery once. `undefined`: no such payment, or nowhere to send it. */
export function sendForgery(
  vendor: PingppVendor,
  request: ForgeRequest,
): Promise<Delivery> | undefined {
  const { orderNumber, forgery } = request
  const charge = vendor.findByNumber(orderNumber, request)
  const url = request.url ?? (charge && findWebhook(vendor, charge))
  if (charge === undefined || url === undefined) return undefined
  const { requestId, livemode, body } = charge
  const news = { type: 'charge.succeeded', requestId, app: body.app.id }
  const object = changed(claimSuccess(vendor, charge, request.amount), forgery)
  const isLive = forgery === 'test_mode' ? false : livemode
  const event = vendor.events.draft({ ...news, object, livemode: isLive })
  const text = vendor.courier.textOf(event)
  const delivery = { eventId: event.id, orderNumber, url, body: text }
  const isRogue = forgery === 'rogue_key'
  const parcel = vendor.courier.pack(delivery, isRogue ? 'wrong_key' : 'genuine')
  return vendor.core.desk.send(delivery, { ...spoil(parcel, forgery), kind: 'forged' })
}

function findWebhook({ events }: PingppVendor, charge: EmulatedCharge): string | undefined {
  const { body, livemode } = charge
  return events
    .webhooks()
    .find((webhook) => webhook.app === body.app.id && webhook.livemode === livemode)?.url
}

/** The object as an event would show it if the payment were paid: a paid one as it is. */
function claimSuccess(
  vendor: PingppVendor,
  charge: EmulatedCharge,
  amount = charge.body.amount,
): Readonly<Record<string, unknown>> {
  const transactionNumber = newTransactionNumber(vendor.now())
  const payment = charge.payment ?? { timePaid: vendor.nowSeconds(), transactionNumber }
  const object = chargeObject({ ...charge, payment }, vendor.book.refundsOf(charge.id))
  return { ...object, amount }
}

function changed(
  object: Readonly<Record<string, unknown>>,
  forgery: Forgery,
): Readonly<Record<string, unknown>> {
  if (forgery === 'test_mode') return { ...object, livemode: false }
  if (forgery === 'other_app') return { ...object, app: `app_${newNonce(APP_CHARACTERS)}` }
  if (forgery === 'not_paid') return { ...object, paid: false, time_paid: null }
  return object
}

function spoil(parcel: Parcel, forgery: Forgery): Parcel {
  const { [SIGNATURE_HEADER]: signature = '', ...bare } = parcel.headers
  const body = parcel.body.toString()
  const withSignature = (text: string): Parcel => ({
    ...parcel,
    headers: { ...bare, [SIGNATURE_HEADER]: text },
  })
  switch (forgery) {
    case 'tampered':
      return { ...parcel, body: body.replace('"currency":"cny"', '"currency":"cnz"') }
    case 'unsigned':
      return { ...parcel, headers: bare }
    case 'empty_signature':
      return withSignature('')
    case 'bad_base64':
      return withSignature(`%${signature.slice(1)}`)
    case 'reserialised':
      return { ...parcel, body: JSON.stringify(parseJson(body), null, 1) }
    case 'rogue_key':
    case 'test_mode':
    case 'other_app':
    case 'not_paid':
      return parcel
  }
}
