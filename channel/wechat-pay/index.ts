import type { Account } from '../account.ts'
import type { Capabilities, Channel } from '../channel.ts'
import type { ChannelDeps, Strategy } from '../registry.ts'
import { billPart, billTimes } from './bill.ts'
import type { Context } from './call.ts'
import { acknowledge, readCallback } from './callback.ts'
import { createKeyring, fetchKeys } from './key.ts'
import { closePayment, createPayment, queryPayment } from './payment.ts'
import {
  EXPIRES_IN_SECONDS_MAX,
  EXPIRES_IN_SECONDS_MIN,
  METHODS,
  preparePayment,
} from './prepare.ts'
import { refundPart } from './refund.ts'
import { checkAccount, requiredKeys, settingsSchema } from './settings.ts'

const TWO_HOURS_SECONDS = 7200
const FIVE_MINUTES_SECONDS = 300

const capabilities: Capabilities = {
  methods: METHODS,
  close: true,
  refund: true,
  bill: true,
  expiresInSecondsMin: EXPIRES_IN_SECONDS_MIN,
  expiresInSecondsMax: EXPIRES_IN_SECONDS_MAX,
  // WeChat Pay dossier, section 2.3.
  credentialSeconds: {
    qr: TWO_HOURS_SECONDS,
    jsapi: TWO_HOURS_SECONDS,
    mini_program: TWO_HOURS_SECONDS,
    app: TWO_HOURS_SECONDS,
    h5: FIVE_MINUTES_SECONDS,
  },
  // WeChat Pay dossier, section 3.5: the vendor's own advice.
  queryPaceSeconds: [5, 30, 60, 180, 300, 600, 1800],
  // WeChat Pay dossier, section 1.13: 600 a second.
  queriesPerMinuteMax: 36_000,
  closeMarginSeconds: 5,
}

function identity(settings: unknown): Readonly<Record<string, string>> {
  const { mchid, appid } = settingsSchema.parse(settings)
  return { mchid, appid }
}

/** A WeChat Pay channel (APIv3, direct merchant). Throws for settings that `checkAccount` refuses. */
function create(account: Account, deps: ChannelDeps): Channel {
  const keyring = createKeyring(account, deps.clock)
  const context: Context = { deps, keyring, settings: settingsSchema.parse(account.settings) }
  return {
    capabilities,
    identity: identity(account.settings),
    preparePayment: (request) => preparePayment(context, request),
    createPayment: (prepared, record) => createPayment(context, prepared, record),
    queryPayment: (payment, record) => queryPayment(context, payment, record),
    closePayment: (payment, record) => closePayment(context, payment, record),
    refund: refundPart(context),
    bill: billPart(context),
    readCallback: (callback) => readCallback(keyring, deps.clock, callback),
    acknowledge,
    fetchKeys: (record) => fetchKeys(context, record),
  }
}

/** The strategy `wechat-pay`. */
export const wechatPay: Strategy = {
  channelName: 'wechat_pay',
  capabilities,
  billTimes,
  settingsSchema,
  requiredKeys,
  checkAccount,
  identity,
  vendorMerchant: (settings) => ({
    vendor: 'wechat_pay',
    number: settingsSchema.parse(settings).mchid,
  }),
  create,
}
