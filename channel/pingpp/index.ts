import type { Account } from '../account.ts'
import type { Capabilities, Channel } from '../channel.ts'
import type { ChannelDeps, Strategy } from '../registry.ts'
import { billPart, billTimes } from './bill.ts'
import type { Context } from './call.ts'
import { acknowledge, readCallback } from './callback.ts'
import { createKeyring } from './key.ts'
import { createPayment, queryPayment } from './payment.ts'
import {
  EXPIRES_IN_SECONDS_MAX,
  EXPIRES_IN_SECONDS_MIN,
  WALLET_METHODS,
  preparePayment,
} from './prepare.ts'
import { refundPart } from './refund.ts'
import { checkAccount, requiredKeys, settingsSchema } from './settings.ts'

const capabilities: Capabilities = {
  methods: [...new Set(Object.values(WALLET_METHODS).flat())],
  wallets: WALLET_METHODS,
  // Ping++ dossier, section 2.6: no call closes a payment; its own deadline does.
  close: false,
  refund: true,
  // The lists of a day, in place of a file: an aggregator's word, and no proof of settlement.
  bill: true,
  expiresInSecondsMin: EXPIRES_IN_SECONDS_MIN,
  // Of the longest product; the shorter ones refuse by themselves.
  expiresInSecondsMax: EXPIRES_IN_SECONDS_MAX,
  // The vendor makes one credential per number, so there is nothing to renew.
  credentialSeconds: {},
  queryPaceSeconds: [15, 45, 120, 300, 600, 1800],
  // Ping++ dossier, section 5: no figure is published, and a search takes several calls.
  queriesPerMinuteMax: 300,
  // The wallet tells the vendor, and only then does the vendor know: the last payer may show late.
  closeMarginSeconds: 300,
}

function identity(settings: unknown): Readonly<Record<string, string>> {
  return { app: settingsSchema.parse(settings).app }
}

/** A Ping++ channel. Throws for settings that `checkAccount` refuses. */
function create(account: Account, deps: ChannelDeps): Channel {
  const keyring = createKeyring(account, deps.clock)
  const settings = settingsSchema.parse(account.settings)
  const context: Context = { deps, keyring, settings }
  return {
    capabilities,
    identity: identity(settings),
    preparePayment: (request) => preparePayment(context, request),
    createPayment: (prepared, record) => createPayment(context, prepared, record),
    queryPayment: (payment, record) => queryPayment(context, payment, record),
    refund: refundPart(context),
    bill: billPart(context),
    readCallback: (callback) => readCallback(keyring, settings.mode, callback),
    acknowledge,
  }
}

/** The strategy `pingpp`. */
export const pingpp: Strategy = {
  channelName: 'pingpp',
  capabilities,
  billTimes,
  settingsSchema,
  requiredKeys,
  checkAccount,
  identity,
  vendorMerchant: (settings) => ({ vendor: 'pingpp', number: settingsSchema.parse(settings).app }),
  create,
}
