import { createPublicKey } from 'node:crypto'
import type { Account, AccountKey } from '#channel/account'
import type { CallbackReading, Channel, RawCallback, RefundPart } from '#channel/channel'
import type { Exchange } from '#channel/http'
import { createRegistry } from '#channel/registry'
import type { ChannelDeps } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { assert } from '#domain/assert'
import { newChannelAccountId, parsePaymentId, parseRefundId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import type { NotificationContent } from '#domain/notification'
import { Secret } from '#domain/secret'
import type { Clock } from '#domain/time'

/** The fixtures' armour keeps secret scanners quiet; the keys are published, or made for these tests. */
export const unarmour = (pem: string): string => pem.replaceAll('TESTING KEY', 'PRIVATE KEY')

export const publicOf = (privatePem: string): string =>
  String(createPublicKey(privatePem).export({ type: 'spki', format: 'pem' }))

export const keyOf = (
  purpose: AccountKey['purpose'],
  serial: string,
  value: string,
  dates: Pick<AccountKey, 'validFrom' | 'validUntil'> = {},
): AccountKey => ({ purpose, serial, value: new Secret(value), ...dates })

export const atSecond = (seconds: number): Date => new Date(seconds * 1000)

export interface MovableClock extends Clock {
  set(moment: Date): void
}

export function clockAt(moment: Date): MovableClock {
  let at = moment
  return {
    now: () => at,
    set(value) {
      at = value
    },
  }
}

/** How a channel differs from the usual one of its vendor's tests. */
export interface ChannelSetup {
  readonly at?: Date
  readonly keys?: readonly AccountKey[]
  readonly settings?: Readonly<Record<string, unknown>>
  readonly deps?: Partial<ChannelDeps>
}

export interface Built {
  readonly channel: Channel
  readonly clock: MovableClock
  readonly exchanges: Exchange[]
  readonly record: (exchange: Exchange) => void
  readonly account: Account
}

export type BuildChannel = (setup?: ChannelSetup) => Built

interface Defaults extends Required<Omit<ChannelSetup, 'deps'>> {
  readonly strategy: keyof typeof strategies
}

/** Builds channels of one vendor the way the gateway builds them. */
export const channelBuilder =
  (defaults: Defaults): BuildChannel =>
  (setup = {}) => {
    const clock = clockAt(setup.at ?? defaults.at)
    const exchanges: Exchange[] = []
    const account: Account = {
      id: newChannelAccountId(),
      strategy: defaults.strategy,
      settings: { ...defaults.settings, ...setup.settings },
      keys: setup.keys ?? defaults.keys,
    }
    const registry = createRegistry(strategies, {
      clock,
      fetch: () => Promise.reject(new Error('this test has no vendor')),
      localHosts: [],
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
      ...setup.deps,
    })
    return {
      channel: registry.get(account, '1'),
      clock,
      exchanges,
      record: (exchange) => exchanges.push(exchange),
      account,
    }
  }

/** A callback of one content type, to the account of a channel. */
export const callbackAs =
  (contentType: string) =>
  (
    { account }: Pick<Built, 'account'>,
    body: string | Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): RawCallback => ({
    account: account.id,
    headers: { 'content-type': contentType, ...headers },
    body: Buffer.from(body),
  })

export function contentOf(reading: CallbackReading): NotificationContent {
  assert(reading.kind === 'verified', `expected verified, found ${reasonOf(reading)}`)
  return reading.notification
}

export const reasonOf = (reading: CallbackReading): string =>
  reading.kind === 'rejected' ? reading.reason : 'verified'

export function partOf({ channel }: Pick<Built, 'channel'>): RefundPart {
  assert(channel.refund !== undefined, 'the channel has refunds')
  return channel.refund
}

export const paymentId: PaymentId = (() => {
  const id = parsePaymentId('p0123456789abcdefghijklmno')
  assert(id !== undefined, 'the test id is a payment id')
  return id
})()

export const refundId: RefundId = (() => {
  const id = parseRefundId('r0123456789abcdefghijklmno')
  assert(id !== undefined, 'the test id is a refund id')
  return id
})()
