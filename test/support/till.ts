import { strategies } from '#channel/strategies'
import { assert } from '#domain/assert'
import { addAccount, setAccountFlags } from '#db/account/account'
import type { StoredKey } from '#db/account/account'
import type { Db } from '#db/database'
import type { ChannelAccountId, MerchantId } from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import type { NextAction, Wallet } from '#domain/method'
import { Secret } from '#domain/secret'
import { openAtAlipay, payAtUnionpay } from './buyer.ts'
import { startAlipayEmulator } from '../emulator/alipay/emulator.ts'
import { makeAlipayKeys } from '../emulator/alipay/keys.ts'
import type { Delivery } from '../emulator/core/delivery-log.ts'
import type { RequestEntry } from '../emulator/core/server.ts'
import { startPingppEmulator } from '../emulator/pingpp/emulator.ts'
import { makePingppKeys } from '../emulator/pingpp/keys.ts'
import { startUnionpayEmulator } from '../emulator/unionpay/emulator.ts'
import { makeMerchantKeys, makeVendorKeys } from '../emulator/unionpay/keys.ts'
import { startWechatPayEmulator } from '../emulator/wechat-pay/emulator.ts'
import { makeWechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import { testSealKey } from './platform.ts'

/** The knobs that all emulators have and our tests turn. */
export type FaultPatch = Partial<
  Record<'failAfterCommit' | 'status500' | 'htmlAnswers' | 'duplicate' | 'wrongAmount', number>
> & {
  readonly dropCallbacks?: number | boolean
  readonly dropForever?: boolean
  readonly duplicateOrder?: 'parallel'
  readonly unknownTradeState?: string
  /** By the merchant's numbers of payments: fen that the bill says more, the line that it lacks, and has twice. */
  readonly billWrongAmount?: Readonly<Record<string, number>>
  readonly billMissingLine?: string
  readonly billDuplicateLine?: string
}

/** What the emulators have in common, as far as a listener needs it. */
interface Vendor {
  readonly url: string
  setKnobs(patch: FaultPatch): unknown
  resetKnobs(): unknown
  requests(): readonly RequestEntry[]
  deliveries(): readonly Delivery[]
  waitForDeliveries(
    isMet: (deliveries: readonly Delivery[]) => boolean,
  ): Promise<readonly Delivery[]>
  stop(): Promise<void>
}

/** An account at an emulated vendor. */
export interface Till {
  /** The strategy of the account. */
  readonly strategy: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly keys: readonly StoredKey[]
  /** The wallet that a payment must name, where the account reaches several. */
  readonly wallet?: Wallet
  readonly vendor: Vendor
  /** The buyer pays an order of this account. */
  pay(orderNumber: string): { readonly kind: string }
  /** The buyer does what the shop's page or app was told to do, and pays. Throws where that is not possible. */
  follow(action: NextAction, orderNumber: string): Promise<void>
  /** The bank had taken the money before the vendor closed, and it arrives afterwards. */
  payLate?(orderNumber: string): { readonly kind: string }
  /** The vendor's books end with another amount, in fen, than the shop has asked for. */
  payOther?(orderNumber: string, amount: number): { readonly kind: string }
  /** Sends one callback about an order that another key has signed, where a test needs it. */
  forge?(orderNumber: string): Promise<Delivery>
  /** The buyer begins and does not pay, where the vendor then answers more than "not yet". */
  begin?(orderNumber: string): void
  /** Lets the vendor refuse every query until its knobs are reset, where it has a code for that. */
  refuseQueries?(): void
  /** Where an address of the vendor's dashboard replaces the one in the request: adds it. */
  hearAt?(callbackUrl: string): void
}

/**
 * Opens tills of these numbers at one vendor: their merchants' keys are their own, and the vendor's are the
 * same. Tills that are opened one by one have nothing in common. A number has one digit and is in every name.
 */
export type OpenTills = (
  numbers: readonly number[],
  options?: TillOptions,
) => Promise<readonly Till[]>

interface TillOptions {
  /** The vendor's; without it the machine's. */
  readonly clock?: () => Date
}

const key = (purpose: KeyPurpose, serial: string, text: string): StoredKey => ({
  purpose,
  serial,
  value: new Secret(text),
})

/** Both sides' keys are made together; the first pair's vendor is the vendor of all. */
function oneVendor<Keys>(made: readonly { readonly keys: { readonly vendor: Keys } }[]): Keys {
  const [first] = made
  assert(first !== undefined, 'expected at least one till')
  return first.keys.vendor
}

function expectPaid({ kind }: { readonly kind: string }): void {
  assert(kind !== 'refused', `expected that the buyer can pay, found ${kind}`)
}

async function openWechatPay(
  numbers: readonly number[],
  options: TillOptions = {},
): Promise<readonly Till[]> {
  const made = await Promise.all(
    numbers.map(async (number) => ({
      mchid: `190000020${number}`,
      appid: `wxd678efh567hg700${number}`,
      keys: await makeWechatPayKeys(),
    })),
  )
  const vendorKeys = oneVendor(made)
  const merchants = made.map(({ keys, ...names }) => ({ ...names, own: keys.merchant }))
  const vendor = await startWechatPayEmulator({
    ...options,
    vendorKeys,
    merchants: merchants.map(({ mchid, appid, own }) => ({
      mchid,
      appids: [appid],
      merchantCertificateSerial: own.certificateSerial,
      merchantPublicKeyPem: own.publicKeyPem,
      apiV3Key: own.apiV3Key,
    })),
  })
  return merchants.map(({ mchid, appid, own }) => ({
    strategy: 'wechat-pay',
    settings: { mchid, appid, base_url: vendor.url },
    keys: [
      key('merchant_private', own.certificateSerial, own.privateKeyPem),
      key('vendor_public', vendorKeys.publicKeyId, vendorKeys.publicKeyPem),
      key('vendor_public', vendorKeys.certificateSerial, vendorKeys.certificatePem),
      key('symmetric', 'current', own.apiV3Key),
    ],
    vendor,
    pay: (orderNumber) => vendor.pay(orderNumber, { mchid }),
    follow: async (_action, orderNumber) => expectPaid(vendor.pay(orderNumber, { mchid })),
    payLate: (orderNumber) => vendor.pay(orderNumber, { mchid, isLate: true }),
    payOther: (orderNumber, total) => vendor.pay(orderNumber, { mchid, total }),
    forge: (outTradeNo) => vendor.forge({ forgery: 'rogue_key', outTradeNo, mchid }),
  }))
}

async function openAlipay(
  numbers: readonly number[],
  options: TillOptions = {},
): Promise<readonly Till[]> {
  const made = await Promise.all(
    numbers.map(async (number) => ({
      appId: `202100000000010${number}`,
      sellerId: `208800000000010${number}`,
      keys: await makeAlipayKeys(),
    })),
  )
  const vendorKeys = oneVendor(made)
  const apps = made.map(({ keys, ...names }) => ({ ...names, own: keys.app }))
  const vendor = await startAlipayEmulator({
    ...options,
    vendorKeys,
    apps: apps.map(({ appId, sellerId, own }) => ({
      appId,
      sellerId,
      appPublicKeyPem: own.publicKeyPem,
    })),
  })
  return apps.map(({ appId, sellerId, own }) => ({
    strategy: 'alipay',
    settings: { app_id: appId, seller_id: sellerId, gateway_url: vendor.gatewayUrl },
    keys: [
      key('merchant_private', 'app', own.privateKeyPem),
      key('vendor_public', 'alipay', vendorKeys.publicKeyPem),
    ],
    vendor,
    pay: (orderNumber) => vendor.pay(orderNumber),
    follow: async (action, orderNumber) => {
      await openAtAlipay(vendor, action)
      expectPaid(vendor.pay(orderNumber))
    },
    begin: (orderNumber) => void vendor.enter(orderNumber),
    refuseQueries: () => void vendor.setKnobs({ refusals: true }),
  }))
}

async function openUnionpay(
  numbers: readonly number[],
  options: TillOptions = {},
): Promise<readonly Till[]> {
  const vendorKeys = await makeVendorKeys()
  const merchants = await Promise.all(
    numbers.map(async (number) => ({
      merId: `77729005811010${number}`,
      own: await makeMerchantKeys(vendorKeys),
    })),
  )
  const vendor = await startUnionpayEmulator({
    ...options,
    vendorKeys,
    merchants: merchants.map(({ merId, own }) => ({
      merId,
      certificatesPem: [own.certificatePem],
    })),
  })
  return merchants.map(({ merId, own }) => ({
    strategy: 'unionpay',
    settings: { merId, base_url: vendor.url, file_url: vendor.url },
    keys: [
      key('merchant_private', own.certId, own.privatePem),
      key('vendor_root', 'root', vendorKeys.root.certificatePem),
      key('vendor_root', 'intermediate', vendorKeys.intermediate.certificatePem),
    ],
    vendor,
    pay: (orderNumber) => vendor.pay(orderNumber, { merId }),
    follow: (action) => payAtUnionpay(vendor, action),
    begin: (orderNumber) => void vendor.fail(orderNumber, { merId, code: '66' }),
    refuseQueries: () => void vendor.setKnobs({ queryCode: '34' }),
  }))
}

async function openPingpp(
  numbers: readonly number[],
  options: TillOptions = {},
): Promise<readonly Till[]> {
  const made = await Promise.all(
    numbers.map(async (number) => ({ app: `app_till${number}`, keys: await makePingppKeys() })),
  )
  const vendorKeys = oneVendor(made)
  const accounts = made.map(({ app, keys }) => ({ app, own: keys.merchant }))
  const vendor = await startPingppEmulator({
    ...options,
    vendorKeys,
    accounts: accounts.map(({ app, own }) => ({
      apps: [app],
      liveKey: own.liveKey,
      testKey: own.testKey,
      publicKeyPem: own.publicKeyPem,
    })),
  })
  return accounts.map(({ app, own }) => ({
    strategy: 'pingpp',
    settings: {
      app,
      base_url: vendor.url,
      unionpay_form_url: `${vendor.url}/gateway/api/frontTransReq.do`,
    },
    keys: [
      key('api_secret', 'live', own.liveKey),
      key('merchant_private', 'current', own.privateKeyPem),
      key('vendor_public', 'current', vendorKeys.publicKeyPem),
    ],
    wallet: 'alipay',
    vendor,
    pay: (orderNumber) => vendor.pay(orderNumber, { app }),
    follow: async (action) => expectPaid(vendor.payAction(action)),
    hearAt: (url) => vendor.addWebhook({ app, livemode: true, url }),
  }))
}

/** The tills of every vendor, by the name of its strategy. */
export const TILLS: Readonly<Record<string, OpenTills>> = {
  'wechat-pay': openWechatPay,
  alipay: openAlipay,
  unionpay: openUnionpay,
  pingpp: openPingpp,
}

/** Stores the till's account for a merchant and lets it accept payments. */
export async function addTill(
  db: Db,
  merchantId: MerchantId,
  { strategy: name, settings, keys }: Pick<Till, 'strategy' | 'settings' | 'keys'>,
): Promise<ChannelAccountId> {
  const strategy = strategies[name]
  assert(strategy !== undefined, `expected a strategy, found none: ${name}`)
  const accountId = await addAccount(db, testSealKey(), {
    merchantId,
    name: `${name} ${Object.values(strategy.identity(settings)).join(' ')}`,
    channel: strategy.channelName,
    strategy: name,
    settings,
    identity: strategy.identity(settings),
    vendorMerchant: strategy.vendorMerchant(settings),
    mode: 'test',
    keys,
  })
  await setAccountFlags(db, merchantId, accountId, { accepting: true, retired: false })
  return accountId
}
