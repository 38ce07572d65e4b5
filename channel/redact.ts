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
  'buyer_user_name',
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
  'bill_download_url',
]

const SHOWN = '[redacted]'
/** The log explains an exchange; it is no archive of whole bodies. */
const RECORDED_CHARACTERS_MAX = 16_384

const names = HIDDEN_NAMES.join('|')

/** One way to write JSON: its quote, what makes a quote part of a value, and where a hidden value begins. */
interface Notation {
  readonly quote: string
  readonly escape: string
  /** Ends behind the quote that opens the value; its group holds the escapes of that quote. */
  readonly opening: RegExp
}

function notation(quote: string, escape: string, colon: string): Notation {
  const escapes = `(?:${RegExp.escape(escape)})*`
  const pattern = `${quote}(?:${names})${escapes}${quote}${colon}(${escapes})${quote}`
  return { quote, escape, opening: new RegExp(pattern, 'gi') }
}

const PLAIN = notation('"', '\\', '\\s*:\\s*')
/** JSON inside a form, as Alipay takes it. */
const IN_FORM = notation('%22', '%5C', '%3A')
const FORM_VALUE = new RegExp(`((?:^|[?&\\s])(?:${names})=)[^&\\s"]*`, 'gi')
/** A Chinese mobile number standing alone, wherever it is. */
const MOBILE = /(?<![0-9A-Za-z])(?:\+?86[- ]?)?1[3-9]\d{9}(?![0-9A-Za-z])/g
/** What may be the start of one, where the record ends. */
const CUT_MOBILE = /(?<![0-9A-Za-z])1[3-9]\d{1,8}$/

/** Removes payer data and signatures from a body or URL. Works on text that does not parse, too. */
export function redact(text: string): string {
  const kept = text.slice(0, RECORDED_CHARACTERS_MAX)
  const whole = kept.length < text.length ? kept.replace(CUT_MOBILE, SHOWN) : kept
  return hideValues(hideValues(whole, PLAIN), IN_FORM)
    .replace(FORM_VALUE, `$1${SHOWN}`)
    .replace(MOBILE, SHOWN)
}

/** Hides each value to its end. No pattern: one would stop at a quote inside the value, and show the rest. */
function hideValues(text: string, form: Notation): string {
  let hidden = ''
  let at = 0
  form.opening.lastIndex = 0
  for (let found = form.opening.exec(text); found !== null; found = form.opening.exec(text)) {
    const [opening, escapes = ''] = found
    const start = found.index + opening.length
    hidden += text.slice(at, start - form.quote.length - escapes.length)
    hidden += form.quote + SHOWN + form.quote
    at = endOfValue(text, start, { ...form, depth: escapes.length / form.escape.length })
    form.opening.lastIndex = at
  }
  return hidden + text.slice(at)
}

/**
 * Behind the quote that ends a value; the end of the text where none does, because the record was cut.
 *
 * Vendors quote our own request inside their error messages, so the value may stand in a text in a text. The
 * quote that opened it then has 1, 3 or 7 escapes. One with as many ends it, and so does one behind a whole
 * number of escaped escapes more; one with fewer ends a text around it, which was quoted in part.
 */
function endOfValue(
  text: string,
  start: number,
  { quote, escape, depth }: Pick<Notation, 'quote' | 'escape'> & { readonly depth: number },
): number {
  let at = start
  for (;;) {
    const end = text.indexOf(quote, at)
    if (end === -1) return text.length
    const escapes = countBefore(text.slice(at, end), escape)
    at = end + quote.length
    if (escapes < depth || (escapes - depth) % (2 * (depth + 1)) === 0) return at
  }
}

/** How many escapes a text ends with. */
function countBefore(text: string, escape: string): number {
  let at = text.length
  while (text.slice(Math.max(0, at - escape.length), at).toUpperCase() === escape) {
    at -= escape.length
  }
  return (text.length - at) / escape.length
}
