import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { assert } from '#domain/assert'
import type { ChannelAccountId, MerchantId, PaymentId } from '#domain/id'
import { parsePaymentId } from '#domain/id'
import { cny } from '#domain/money'
import { addMs, systemClock } from '#domain/time'
import type { Delivery } from '../emulator/core/delivery-log.ts'
import type { Platform } from './platform.ts'
import { createShop } from './shop.ts'
import type { Purchase } from './shop.ts'
import { addTill } from './till.ts'
import type { Till } from './till.ts'

const EXPIRES_IN_MS = 900_000

/** An account of a merchant at an emulated vendor, with all that a test of it needs. */
export interface Counter {
  readonly till: Till
  readonly merchantId: MerchantId
  readonly accountId: ChannelAccountId
  /** Where its vendor's callbacks go. */
  readonly address: string
  readonly shop: ReturnType<typeof createShop>
}

/** Whose counter it is, and the key that its shop speaks with. */
export interface Owner {
  readonly merchantId: MerchantId
  readonly apiKey: string
}

export async function openCounter(
  { db, gateway }: Platform,
  { merchantId, apiKey }: Owner,
  till: Till,
): Promise<Counter> {
  const accountId = await addTill(db, merchantId, till)
  const address = `${gateway.url}/callback/${accountId}`
  till.hearAt?.(address)
  return { till, merchantId, accountId, address, shop: createShop({ gateway, apiKey }) }
}

/** The body of the merchant API for a payment on exactly this account. */
export const bodyAt = ({ shop, accountId, till }: Counter, purchase: Purchase = {}) => ({
  ...shop.bodyOf(purchase),
  channel_account: accountId,
  ...(till.wallet === undefined ? {} : { wallet: till.wallet }),
})

/** Orders it, and gives the number that our payment has at the vendor. */
export async function buyAt(counter: Counter, purchase: Purchase = {}): Promise<PaymentId> {
  const response = await counter.shop.post(bodyAt(counter, purchase), crypto.randomUUID())
  const answer: unknown = await response.json()
  assert(response.status === 201, `expected 201, found ${Bun.inspect(answer)}`)
  const id = parsePaymentId(Object(answer).id)
  assert(id !== undefined, `expected a payment, found ${Bun.inspect(answer)}`)
  return id
}

/**
 * Orders any number from this account's vendor behind our back, to be told at any address.
 *
 * So the vendor sends genuine callbacks, signed with its key, about a payment that may be another account's.
 */
export async function orderAt(
  { localHosts }: Pick<Platform, 'localHosts'>,
  { till, accountId, address }: Counter,
  order: { readonly paymentId: PaymentId; readonly minor: bigint; readonly callbackUrl?: string },
): Promise<void> {
  const registry = createRegistry(strategies, {
    clock: systemClock,
    fetch: (url, init) => fetch(url, init),
    localHosts,
    newNonce: () => crypto.randomUUID().replaceAll('-', ''),
  })
  const channel = registry.get({ ...till, id: accountId }, '1')
  const outcome = channel.preparePayment({
    paymentId: order.paymentId,
    method: 'qr',
    amount: cny(order.minor),
    subject: 'Demo tea set',
    clientIp: '203.0.113.7',
    expiresAt: addMs(new Date(), EXPIRES_IN_MS),
    callbackUrl: order.callbackUrl ?? address,
    returnUrl: address,
    ...(till.wallet === undefined ? {} : { wallet: till.wallet }),
  })
  assert(outcome.kind === 'prepared', `expected prepared, found ${Bun.inspect(outcome)}`)
  const created = await channel.createPayment(outcome.prepared, () => undefined)
  assert(created.kind === 'created', `expected created, found ${Bun.inspect(created)}`)
}

/** The buyer pays at this account's vendor, and a callback at that address is answered so. */
export async function payAt(
  { till, address }: Counter,
  paymentId: PaymentId,
  answer: 'acknowledged' | 'refused' = 'acknowledged',
  callbackUrl: string = address,
): Promise<void> {
  const before = till.vendor.deliveries().length
  const isIt = ({ orderNumber, url, outcome }: Delivery) =>
    orderNumber === paymentId && url === callbackUrl && outcome === answer
  const { kind } = till.pay(paymentId)
  assert(kind !== 'refused', `expected that ${paymentId} can be paid`)
  await till.vendor.waitForDeliveries((all) => all.slice(before).some(isIt))
}
