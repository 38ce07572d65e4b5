/** The values of `channel` that the emulator plays (dossier 2.3). */
export const CHANNELS = [
  'alipay',
  'alipay_wap',
  'alipay_pc_direct',
  'alipay_qr',
  'alipay_scan',
  'alipay_lite',
  'wx',
  'wx_pub',
  'wx_pub_qr',
  'wx_pub_scan',
  'wx_wap',
  'wx_lite',
  'upacp',
  'upacp_wap',
  'upacp_pc',
  'upacp_qr',
  'upacp_scan',
  'upacp_b2b',
  'applepay_upacp',
  'cp_b2b',
  'qpay',
  'qpay_pub',
  'jdpay_wap',
  'yeepay_wap',
  'bfb_wap',
  'cmb_wallet',
  'cmb_pc_qr',
  'isv_qr',
  'isv_scan',
  'isv_wap',
  'isv_lite',
] as const

export type Channel = (typeof CHANNELS)[number]
export type Family = 'alipay' | 'wx' | 'upacp' | 'other'

/** What Ping++ asks of a request for one channel. */
export interface ChannelRule {
  readonly family: Family
  /** Least and most characters of `order_no` (dossier 2.1). */
  readonly orderNumber: readonly [least: number, most: number]
  /** Keys that `extra` must have (dossier 2.4). */
  readonly required: readonly string[]
  /** UnionPay counts bytes of the subject, all others characters. */
  readonly subjectUnit: 'characters' | 'bytes'
  readonly bodyCharactersMax: number
  readonly expiry: Expiry
}

/** Seconds from the creation. */
export interface Expiry {
  readonly least: number
  readonly most: number
  readonly usual: number
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Limits of `time_expire` (dossier 2.1). Of the others nothing is known; they go with Alipay. */
const EXPIRIES: Readonly<Record<Family, Expiry>> = {
  alipay: { least: MINUTE, most: 15 * DAY, usual: DAY },
  wx: { least: MINUTE, most: 7 * DAY, usual: 2 * HOUR },
  upacp: { least: MINUTE, most: HOUR, usual: HOUR },
  other: { least: MINUTE, most: 15 * DAY, usual: DAY },
}

const ORDER_NUMBERS: Readonly<Record<Family, ChannelRule['orderNumber']>> = {
  alipay: [1, 64],
  wx: [2, 32],
  upacp: [8, 40],
  other: [8, 32],
}

type Change = Partial<Pick<ChannelRule, 'orderNumber' | 'required' | 'bodyCharactersMax'>>

const rule = (family: Family, change: Change = {}): ChannelRule => ({
  family,
  orderNumber: ORDER_NUMBERS[family],
  required: [],
  subjectUnit: family === 'upacp' ? 'bytes' : 'characters',
  bodyCharactersMax: 128,
  expiry: EXPIRIES[family],
  ...change,
})

const YEEPAY_EXTRA = [
  'product_category',
  'identity_id',
  'identity_type',
  'terminal_type',
  'terminal_id',
  'user_ua',
  'result_url',
]

export const RULES: Readonly<Record<Channel, ChannelRule>> = {
  alipay: rule('alipay'),
  alipay_wap: rule('alipay', { required: ['success_url'] }),
  alipay_pc_direct: rule('alipay', { required: ['success_url'] }),
  alipay_qr: rule('alipay'),
  alipay_scan: rule('alipay', { required: ['scan_code', 'terminal_id'] }),
  alipay_lite: rule('alipay'),
  wx: rule('wx'),
  wx_pub: rule('wx', { required: ['open_id'] }),
  wx_pub_qr: rule('wx', { required: ['product_id'] }),
  wx_pub_scan: rule('wx', { required: ['scan_code'], orderNumber: [1, 32] }),
  wx_wap: rule('wx'),
  wx_lite: rule('wx', { required: ['open_id'] }),
  upacp: rule('upacp'),
  upacp_wap: rule('upacp', { required: ['result_url'] }),
  upacp_pc: rule('upacp', { required: ['result_url'] }),
  // No sample shows what the QR channels of UnionPay want (dossier 2.4, unverified).
  upacp_qr: rule('upacp'),
  upacp_scan: rule('upacp', { required: ['scan_code'] }),
  upacp_b2b: rule('upacp'),
  applepay_upacp: rule('upacp'),
  cp_b2b: rule('other'),
  qpay: rule('other', { required: ['device'], orderNumber: [1, 30] }),
  qpay_pub: rule('other', { orderNumber: [1, 30] }),
  jdpay_wap: rule('other', { required: ['success_url', 'fail_url'], orderNumber: [1, 30] }),
  yeepay_wap: rule('other', {
    required: YEEPAY_EXTRA,
    orderNumber: [1, 50],
    bodyCharactersMax: 100,
  }),
  bfb_wap: rule('other', { required: ['result_url', 'bfb_login'], orderNumber: [1, 20] }),
  cmb_wallet: rule('other', {
    required: ['result_url', 'p_no', 'seq', 'm_uid', 'mobile'],
    orderNumber: [6, 32],
  }),
  cmb_pc_qr: rule('other'),
  isv_qr: rule('other', { required: ['pay_channel', 'terminal_id'] }),
  isv_scan: rule('other', { required: ['scan_code', 'terminal_id'] }),
  isv_wap: rule('other', { required: ['pay_channel', 'terminal_id', 'result_url'] }),
  isv_lite: rule('other'),
}

/** Channels whose payments can be reversed; today's list is not known (dossier 2.6). */
export const REVERSIBLE: readonly string[] = ['isv_scan', 'isv_qr', 'isv_wap']

/** Keys of `extra` that hold an address. */
export const URL_KEYS = ['success_url', 'cancel_url', 'fail_url', 'result_url'] as const

/** Keys of `extra` with few values. */
export const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  device: ['ios', 'android'],
  pay_channel: ['alipay', 'wx', 'bfb'],
  limit_pay: ['no_credit'],
  rn_check: ['T', 'F'],
  need_buyer_real_named: ['T', 'F'],
}
