import type { Strategies } from '#channel/registry'
import type { Method, Wallet } from '#domain/method'

/** What one channel can do, in the words of the merchant API. */
export interface CapabilityView {
  readonly channel: string
  readonly methods: readonly Method[]
  /** Only where one channel reaches several wallets; a payment then names its own. */
  readonly wallets: Readonly<Record<Wallet, readonly Method[]>> | null
  readonly close: boolean
  readonly refund: boolean
  readonly bill: boolean
  readonly expires_in_s: { readonly min: number; readonly max: number }
}

/** What every channel of this program can do at most, by name, read from the strategies themselves. */
export const viewCapabilities = (strategies: Strategies): readonly CapabilityView[] =>
  Object.values(strategies)
    .map(({ channelName, capabilities }) => ({
      channel: channelName,
      methods: capabilities.methods,
      wallets: capabilities.wallets ?? null,
      close: capabilities.close,
      refund: capabilities.refund,
      bill: capabilities.bill,
      expires_in_s: {
        min: capabilities.expiresInSecondsMin,
        max: capabilities.expiresInSecondsMax,
      },
    }))
    .toSorted((one, other) => (one.channel < other.channel ? -1 : 1))
