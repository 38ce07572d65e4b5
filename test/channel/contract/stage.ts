import type { Account } from '#channel/account'
import type { Channel, PaymentRequest, PreparedPayment, RawCallback } from '#channel/channel'
import type { Exchange, RecordExchange } from '#channel/http'
import { createRegistry } from '#channel/registry'
import { assert } from '#domain/assert'
import { newChannelAccountId, newPaymentId } from '#domain/id'
import { WALLETS } from '#domain/method'
import { cny } from '#domain/money'
import type { PaymentReference } from '#domain/payment'
import { addMs } from '#domain/time'
import type { ContractVendor, Heard, Product, SignedCallback, Signer, Told } from './vendor.ts'

/** Who pays, as our own requests say it. Never to be recorded. */
export const PAYER_OPEN_ID = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'
export const CLIENT_IP = '14.23.150.211'
export const DEFAULT_MINOR = 12_801n
/** A fake answers at once; this is far above it, on a busy machine too. */
const TIMEOUT_MS = 10_000
const EXPIRES_IN_SECONDS = 900

/** Answers a request; `index` counts from zero within the stage. */
export type Reply = (heard: Heard, index: number) => Response | Promise<Response>

/** A channel built as the gateway builds it, and all that it sends and records. */
export interface Stage {
  readonly channel: Channel
  readonly account: Account
  readonly heard: readonly Heard[]
  readonly exchanges: readonly Exchange[]
  readonly record: RecordExchange
  now: Date
}

export interface StageSetup {
  readonly trusts?: Signer
  readonly reply?: Reply
  readonly timeoutMs?: number
}

const noVendor: Reply = () => Promise.reject(new Error('this test has no vendor'))

export function openStage(vendor: ContractVendor, setup: StageSetup = {}): Stage {
  const heard: Heard[] = []
  const exchanges: Exchange[] = []
  const account: Account = {
    id: newChannelAccountId(),
    strategy: vendor.name,
    ...vendor.account(setup.trusts ?? 'vendor'),
  }
  const registry = createRegistry(
    { [vendor.name]: vendor.strategy },
    {
      clock: { now: () => stage.now },
      fetch: async (url, init) => {
        const item = hear(url, init)
        heard.push(item)
        return (setup.reply ?? noVendor)(item, heard.length - 1)
      },
      localHosts: [],
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
      timeoutMs: setup.timeoutMs ?? TIMEOUT_MS,
    },
  )
  const stage: Stage = {
    channel: registry.get(account, '1'),
    account,
    heard,
    exchanges,
    record: (exchange) => exchanges.push(exchange),
    now: vendor.now,
  }
  return stage
}

function hear(url: string, init: RequestInit): Heard {
  const headers = Object.fromEntries(new Headers(init.headers))
  const body = init.body instanceof Uint8Array ? new TextDecoder().decode(init.body) : ''
  return { method: init.method ?? 'GET', url, headers, body }
}

/** Every method of every wallet that the capabilities list. */
export function productsOf({ strategy }: ContractVendor): readonly Product[] {
  const { methods, wallets } = strategy.capabilities
  if (wallets === undefined) return methods.map((method) => ({ method }))
  return WALLETS.flatMap((wallet) => wallets[wallet].map((method) => ({ method, wallet })))
}

export const sameProduct = (one: Product, other: Product): boolean =>
  one.method === other.method && one.wallet === other.wallet

/** Products whose creation is a request to the vendor. */
export const sentProducts = (vendor: ContractVendor): readonly Product[] =>
  productsOf(vendor).filter((product) => !vendor.handedOut.some((one) => sameProduct(one, product)))

export const nameOf = ({ method, wallet }: Product): string =>
  wallet === undefined ? method : `${wallet} ${method}`

export const requestOf = (
  vendor: ContractVendor,
  product: Product,
  changes: Partial<PaymentRequest> = {},
): PaymentRequest => ({
  paymentId: newPaymentId(),
  amount: cny(DEFAULT_MINOR),
  subject: '乌龙茶 50 g',
  clientIp: CLIENT_IP,
  expiresAt: addMs(vendor.now, EXPIRES_IN_SECONDS * 1000),
  callbackUrl: 'https://pay.example.com/callback/a',
  returnUrl: 'https://pay.example.com/return/a',
  payerOpenId: PAYER_OPEN_ID,
  ...product,
  ...changes,
})

export function prepare(
  stage: Stage,
  vendor: ContractVendor,
  product: Product,
  changes: Partial<PaymentRequest> = {},
): PreparedPayment {
  const outcome = stage.channel.preparePayment(requestOf(vendor, product, changes))
  assert(outcome.kind === 'prepared', `${nameOf(product)}: ${Bun.inspect(outcome)}`)
  return outcome.prepared
}

export const tell = (
  vendor: ContractVendor,
  product: Product,
  prepared: PreparedPayment,
  changes: Partial<Told> = {},
): Told => ({
  ...product,
  paymentId: prepared.paymentId,
  amountText: vendor.writeAmount(DEFAULT_MINOR),
  state: vendor.paidState,
  channelPaymentId: vendor.channelPaymentId,
  ...(prepared.vendorTime === undefined ? {} : { vendorTime: prepared.vendorTime }),
  ...(prepared.vendorProduct === undefined ? {} : { vendorProduct: prepared.vendorProduct }),
  ...changes,
})

/** A payment of the first product, and what the vendor says of it. */
export function toldPayment(
  stage: Stage,
  vendor: ContractVendor,
  changes: Partial<Told> = {},
): Told {
  const [product] = productsOf(vendor)
  assert(product !== undefined, 'a vendor has a product')
  return tell(vendor, product, prepare(stage, vendor, product), changes)
}

/** How we name a payment in a query: with what was stored when it was created. */
export const referenceOf = (vendor: ContractVendor, told: Told): PaymentReference => ({
  paymentId: told.paymentId,
  method: told.method,
  createdAt: vendor.now,
  ...(told.vendorTime === undefined ? {} : { vendorTime: told.vendorTime }),
  ...(told.vendorProduct === undefined ? {} : { vendorProduct: told.vendorProduct }),
})

export const callbackTo = (stage: Stage, message: SignedCallback): RawCallback => ({
  account: stage.account.id,
  ...message,
})
