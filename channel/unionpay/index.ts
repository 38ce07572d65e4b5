import type { Account } from '../account.ts'
import type { Capabilities, Channel } from '../channel.ts'
import type { ChannelDeps, Strategy } from '../registry.ts'
import { billPart, billTimes } from './bill.ts'
import type { Context } from './call.ts'
import { acknowledge, readCallback, readReturn } from './callback.ts'
import { createKeyring } from './key.ts'
import { createPayment, queryPayment } from './payment.ts'
import {
  EXPIRES_IN_SECONDS_MAX,
  EXPIRES_IN_SECONDS_MIN,
  METHODS,
  preparePayment,
} from './prepare.ts'
import { refundPart } from './refund.ts'
import { checkAccount, requiredKeys, settingsSchema } from './settings.ts'

const capabilities: Capabilities = {
  methods: METHODS,
  // No close exists: payTimeout, a margin and a query are the proof (payment rules, section 3).
  close: false,
  refund: true,
  bill: true,
  expiresInSecondsMin: EXPIRES_IN_SECONDS_MIN,
  expiresInSecondsMax: EXPIRES_IN_SECONDS_MAX,
  // A form, a tn and a code live as long as the payment: each holds its txnTime and is made once.
  credentialSeconds: {},
  // UnionPay dossier, section 3.1: 5, 10, 30, 60, 120 min. The short pace is for products whose answer is
  // the result, and in all of ours the customer acts later. Five notices come, so these are the safety net.
  queryPaceSeconds: [300, 600, 1800, 3600, 7200],
  // No figure is published; code 37 says when it was too much (dossier, section 2.6).
  queriesPerMinuteMax: 300,
  // A net-bank payment may end after payTimeout; the vendor gives it back by itself (dossier, section 2.1).
  closeMarginSeconds: 600,
}

function identity(settings: unknown): Readonly<Record<string, string>> {
  return { merId: settingsSchema.parse(settings).merId }
}

/** A UnionPay channel (ACP 5.1.0 with certificates). Throws for settings that `checkAccount` refuses. */
function create(account: Account, deps: ChannelDeps): Channel {
  const settings = settingsSchema.parse(account.settings)
  const keyring = createKeyring(account, settings, deps.clock)
  const context: Context = { deps, settings, keyring }
  return {
    capabilities,
    identity: identity(settings),
    preparePayment: (request) => preparePayment(context, request),
    createPayment: (prepared, record) => createPayment(context, prepared, record),
    queryPayment: (payment, record) => queryPayment(context, payment, record),
    refund: refundPart(context),
    bill: billPart(context),
    readCallback: (callback) => readCallback(keyring, callback),
    readReturn: (fields) => readReturn(keyring, fields),
    acknowledge,
  }
}

/** The strategy `unionpay`. */
export const unionpay: Strategy = {
  channelName: 'unionpay',
  capabilities,
  billTimes,
  settingsSchema,
  requiredKeys,
  checkAccount,
  identity,
  vendorMerchant: (settings) => ({
    vendor: 'unionpay',
    number: settingsSchema.parse(settings).merId,
  }),
  create,
}
