import { z } from 'zod'
import type { Strategies } from '#channel/registry'
import { METHODS } from '#domain/method'

const methods = z.array(z.enum(METHODS)).readonly()

/** What one channel can do, in the words of the merchant API. */
export const capabilitySchema = z.object({
  channel: z.string(),
  methods,
  wallets: z
    .object({ alipay: methods, wechat_pay: methods, unionpay: methods })
    .nullable()
    .describe('Only where one channel reaches several wallets; a payment then names its own.'),
  close: z.boolean(),
  refund: z.boolean(),
  bill: z.boolean(),
  expires_in_s: z.object({ min: z.int(), max: z.int() }),
})

export type CapabilityView = z.input<typeof capabilitySchema>

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
