/**
 * Names whose values never enter the transaction log: who paid, and what proves who spoke.
 *
 * Money, order numbers and states stay, because the log exists to explain them.
 */
const HIDDEN_NAMES = [
  'openid',
  'sp_openid',
  'sub_openid',
  'open_id',
  'payer_open_id',
  'payer_client_ip',
  'client_ip',
  'buyer_id',
  'buyer_open_id',
  'op_buyer_open_id',
  'buyer_user_id',
  'buyer_account',
  'buyer_logon_id',
  'phone',
  'phone_number',
  'phoneNo',
  'mobile',
  'number',
  'name',
  'real_name',
  'accNo',
  'payCardNo',
  'customerInfo',
  'certifTp',
  'certifId',
  'user_received_account',
  'sign',
  'paySign',
  'signature',
  'authorization',
  'api_key',
  'token',
]

const SHOWN = '[redacted]'
/** The log explains an exchange; it is no archive of whole bodies. */
export const RECORDED_CHARACTERS_MAX = 16_384

const names = HIDDEN_NAMES.join('|')
// Quotes may be escaped: vendors quote our own request inside their error messages.
const JSON_VALUE = new RegExp(`(\\\\*"(?:${names})\\\\*"\\s*:\\s*)\\\\*"[^"\\\\]*\\\\*"`, 'gi')
const FORM_VALUE = new RegExp(`((?:^|[?&\\s])(?:${names})=)[^&\\s"]*`, 'gi')
/** JSON inside a form, as Alipay takes it: the quotes are escapes there. */
const ESCAPED_VALUE = new RegExp(`(%22(?:${names})%22%3A)%22.*?%22`, 'gi')
/** A Chinese mobile number standing alone, wherever it is. */
const MOBILE = /(?<![0-9A-Za-z])(?:\+?86[- ]?)?1[3-9]\d{9}(?![0-9A-Za-z])/g

/** Removes payer data and signatures from a body or URL. Works on text that does not parse, too. */
export function redact(text: string): string {
  return text
    .slice(0, RECORDED_CHARACTERS_MAX)
    .replace(JSON_VALUE, `$1"${SHOWN}"`)
    .replace(ESCAPED_VALUE, `$1%22${SHOWN}%22`)
    .replace(FORM_VALUE, `$1${SHOWN}`)
    .replace(MOBILE, SHOWN)
}
