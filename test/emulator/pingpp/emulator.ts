import type { Delivery } from '../core/delivery-log.ts'
import type { Emulator, EmulatorOptions } from '../core/emulator.ts'
import { newRogueKey } from '../core/rsa.ts'
import type { EmulatedAccount } from './authorization.ts'
import type { BuyerAction } from './buyer-action.ts'
import type { OpenResult } from './buyer-page.ts'
import { openAction, payAction } from './buyer-page.ts'
import type { EmulatedCharge } from './charge.ts'
import type { SendRequest } from './control.ts'
import { controlActions, send } from './control.ts'
import type { EmulatedEvent, Webhook } from './event.ts'
import type { Emission } from './event-desk.ts'
import type { ForgeRequest } from './forge.ts'
import { sendForgery } from './forge.ts'
import { PingppHttp } from './http.ts'
import type { VendorKeys } from './keys.ts'
import { makeVendorKeys } from './keys.ts'
import type { Knobs, KnobsPatch } from './knobs.ts'
import type { EmulatedRefund } from './refund.ts'
import type { DailySummaryRequest } from './summary.ts'
import { sendDailySummary } from './summary.ts'
import type { PayOptions, PayResult } from './vendor.ts'
import { PingppVendor } from './vendor.ts'

export interface PingppEmulatorOptions extends EmulatorOptions {
  readonly accounts: readonly EmulatedAccount[]
  /** Made at start unless given. */
  readonly vendorKeys?: VendorKeys
  /** More can be added later. */
  readonly webhooks?: readonly Webhook[]
}

/** Ping++ under test's thumb. */
export interface PingppEmulator extends Emulator<Knobs, KnobsPatch> {
  /** The pair that signs events and answers now. */
  vendorKeys(): VendorKeys
  /** Another pair signs from now on; the merchant must be given its public half. */
  rotateKey(): Promise<VendorKeys>
  /** The dashboard's setting: where events of an app and a mode go. */
  addWebhook(webhook: Webhook): void
  /** The buyer pays; `first` and `done` of the result tell when the event was sent and is over. */
  pay(orderNumber: string, options?: PayOptions): PayResult
  /** Finds the buyer's page for what the shop handed out; refuses what was altered on its way. */
  openAction(action: BuyerAction): OpenResult
  payAction(action: BuyerAction): PayResult
  /** The channel ends a refund that is held. Throws if none is pending. */
  finishRefund(refundId: string, ending: 'succeeded' | 'failed'): Emission
  /** Throws if there is no such payment, or nowhere to send it. */
  forge(request: ForgeRequest): Promise<Delivery>
  /** Sends any text once, with a genuine signature. */
  sendCallback(request: SendRequest): Promise<Delivery>
  sendDailySummary(request: DailySummaryRequest): Emission
  order(orderNumber: string, options?: PayOptions): EmulatedCharge | undefined
  orders(): readonly EmulatedCharge[]
  /** Newest first. */
  refunds(orderNumber: string, options?: PayOptions): readonly EmulatedRefund[]
  events(): readonly EmulatedEvent[]
}

/** Starts the emulator on loopback. */
export async function startPingppEmulator(options: PingppEmulatorOptions): Promise<PingppEmulator> {
  const [keys, rogueKeyPem, channelKeyPem] = await Promise.all([
    options.vendorKeys ?? makeVendorKeys(),
    newRogueKey(),
    newRogueKey(),
  ])
  const { accounts, webhooks = [] } = options
  const vendor = new PingppVendor({ accounts, keys, rogueKeyPem, channelKeyPem, options })
  for (const webhook of webhooks) vendor.events.addWebhook(webhook)
  const face = vendor.core.serve<KnobsPatch>(new PingppHttp(vendor), controlActions(vendor))
  vendor.baseUrl = face.url
  return {
    ...face,
    ...businessOf(vendor),
    idle: () => vendor.idle(),
    stop: async () => {
      await vendor.errands.stop()
      await face.stop()
    },
  }
}

function businessOf(vendor: PingppVendor): Omit<PingppEmulator, keyof Emulator<Knobs, KnobsPatch>> {
  const find = (orderNumber: string, how?: PayOptions): EmulatedCharge | undefined =>
    vendor.findByNumber(orderNumber, how)
  return {
    vendorKeys: () => vendor.keyring.current,
    rotateKey: async () => {
      const keys = await makeVendorKeys()
      vendor.keyring.rotate(keys)
      return keys
    },
    addWebhook: (webhook) => vendor.events.addWebhook(webhook),
    pay: (orderNumber, how) => vendor.pay(find(orderNumber, how), how),
    openAction: (action) => openAction(vendor, action),
    payAction: (action) => payAction(vendor, action),
    finishRefund: (refundId, ending) => {
      const emission = vendor.refunds.finish(refundId, ending)
      if (emission === undefined) throw new Error(`expected a pending refund: ${refundId}`)
      return emission
    },
    forge: async (request) => {
      const delivery = await sendForgery(vendor, request)
      if (delivery === undefined) {
        throw new Error(`expected a payment and an address: ${request.orderNumber}`)
      }
      return delivery
    },
    sendCallback: (request) => send(vendor, request),
    sendDailySummary: (request) => sendDailySummary(vendor, request),
    order: find,
    orders: () => vendor.book.list(),
    refunds: (orderNumber, how) => vendor.book.refundsOf(find(orderNumber, how)?.id ?? ''),
    events: () => vendor.events.list(),
  }
}
