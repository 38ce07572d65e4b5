/** What the vendor says to a code, shortened (dossier 2.6). */
const TEXTS: Readonly<Record<string, string>> = {
  '00': '成功[0000000]',
  A6: '有缺陷的成功',
  '01': '交易失败',
  '02': '系统未开放或暂时关闭',
  '03': '交易通讯超时，请发起查询交易',
  '04': '交易状态未明，请查询对账结果',
  '05': '交易已受理，请稍后查询交易结果',
  '06': '系统繁忙，请稍后再试',
  '10': '报文格式错误',
  '11': 'Signature verification fail[9100004]',
  '12': '重复交易[2010002]',
  '13': '报文交易要素缺失',
  '31': '商户状态不正确',
  '32': '无此交易权限',
  '33': '交易金额超限',
  '34': '查无此交易',
  '35': '原交易不存在或状态不正确[2011000]',
  '36': '与原交易信息不符',
  '37': '已超过最大查询次数或操作过于频繁',
  '42': '扣款成功但交易超过规定支付时间',
  '45': '原交易已被成功退货或已被成功撤销',
  '60': '交易失败，详情请咨询您的发卡行',
  '64': '卡上的余额不足',
  '70': '交易已跳转，等待持卡人输入',
  '74': '扣款成功，销账未知',
  '75': '扣款成功，销账失败',
  '83': '发卡行或通道处理中',
  '99': '通用错误',
}

/** How a callback says `00`; synchronous answers have the reason in brackets (dossier 2.5). */
export const CALLBACK_SUCCESS_TEXT = 'success'

export const textOf = (code: string): string => TEXTS[code] ?? '交易失败'

const SUCCESS = new Set(['00', 'A6'])
/** The money left the card, and yet it is no success. */
const MONEY_MOVED = new Set(['42', '74', '75'])
const PENDING = new Set(['03', '04', '05', '70', '83'])
/** Money could have moved, although it sounds like a failure. */
const DOUBTFUL = new Set(['06', '99'])

export const isSuccess = (code: string): boolean => SUCCESS.has(code)

/** The buyer's money is gone: nothing can be paid again. */
export const isMoneyGone = (code: string): boolean => SUCCESS.has(code) || MONEY_MOVED.has(code)

export const isPending = (code: string): boolean => PENDING.has(code)

/** After such an answer the transaction may well exist. */
export const isUnknown = (code: string): boolean => PENDING.has(code) || DOUBTFUL.has(code)
