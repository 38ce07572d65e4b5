import type { Account } from '../account.ts'
import type { Capabilities, Channel } from '../channel.ts'
import type { ChannelDeps, Strategy } from '../registry.ts'
import { billPart, billTimes } from './bill.ts'
import { createDownloads, fetchKeys } from './call.ts'
import type { Context } from './call.ts'
import { acknowledge, readCallback, readReturn } from './callback.ts'
import { createKeyring } from './key.ts'
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

const capabilities: Capabilities = {
  methods: METHODS,
  close: true,
  refund: true,
  bill: true,
  expiresInSecondsMin: EXPIRES_IN_SECONDS_MIN,
  expiresInSecondsMax: EXPIRES_IN_SECONDS_MAX,
  // Alipay dossier, section 2.5: a code ends after two hours, whatever the order's own deadline.
  credentialSeconds: { qr: TWO_HOURS_SECONDS },
  queryPaceSeconds: [15, 45, 120, 300, 600, 1800],
  // The vendor publishes no figure (dossier, section 9).
  queriesPerMinuteMax: 300,
  // A buyer who confirms in the last second is still paying (dossier, section 3.2).
  closeMarginSeconds: 60,
}

function identity(settings: unknown): Readonly<Record<string, string>> {
  const { app_id, seller_id } = settingsSchema.parse(settings)
  return { app_id, seller_id }
}

/** An Alipay channel (OpenAPI v2, RSA2). Throws for settings that `checkAccount` refuses. */
function create(account: Account, deps: ChannelDeps): Channel {
  const settings = settingsSchema.parse(account.settings)
  const isCertificateMode = settings.key_mode === 'certificate'
  const keyring = createKeyring(account, deps.clock, isCertificateMode)
  const context: Context = { deps, settings, keyring, downloads: createDownloads() }
  return {
    capabilities,
    identity: identity(account.settings),
    preparePayment: (request) => preparePayment(context, request),
    createPayment: (prepared, record) => createPayment(context, prepared, record),
    queryPayment: (payment, record) => queryPayment(context, payment, record),
    closePayment: (payment, record) => closePayment(context, payment, record),
    refund: refundPart(context),
    bill: billPart(context),
    readCallback: (callback) => readCallback(context, callback),
    acknowledge,
    readReturn: (fields) => Promise.resolve(readReturn(context, fields)),
    ...(isCertificateMode ? { fetchKeys: (record) => fetchKeys(context, record) } : {}),
  }
}

/** The strategy `alipay`. */
export const alipay: Strategy = {
  channelName: 'alipay',
  capabilities,
  billTimes,
  settingsSchema,
  requiredKeys,
  checkAccount,
  identity,
  vendorMerchant: (settings) => ({
    vendor: 'alipay',
    number: settingsSchema.parse(settings).seller_id,
  }),
  create,
}
