import type { BillId, MerchantId } from '#domain/id'
import { hit } from '#failpoint'
import type { Totals } from './bill-total.ts'

/** One line as it is loaded: the shape of the channels, without knowing them. */
export interface LoadedLine {
  readonly line: number
  readonly kind: string
  readonly paymentNumber: string
  readonly channelPaymentId: string
  readonly walletPaymentId?: string
  readonly refundNumber: string
  readonly channelRefundId: string
  readonly amountMinor: bigint
  readonly fee: string
  readonly rate: string
  readonly feeBaseMinor?: bigint
  readonly stateText: string
  readonly at: string
}

interface LinesToCopy {
  readonly merchantId: MerchantId
  readonly businessDate: string
  readonly lines: AsyncIterable<readonly LoadedLine[]>
}

export const COPY = `COPY bill_line (merchant_id, bill_id, line, business_date, kind, payment_number,
  channel_payment_id, refund_number, channel_refund_id, amount, fee, rate, state_text, at, fee_base,
  wallet_payment_id) FROM STDIN`

export async function* rowsOf(
  bill: LinesToCopy,
  id: BillId,
  totals: Totals,
): AsyncGenerator<string> {
  const head = `${bill.merchantId}\t${id}\t`
  for await (const lines of bill.lines) {
    let text = ''
    for (const line of lines) {
      totals.add(line)
      text += head + rowOf(line, bill.businessDate)
    }
    hit('bill.rows:before')
    if (text !== '') yield text
    hit('bill.rows:after')
  }
}

const rowOf = (line: LoadedLine, businessDate: string): string =>
  `${line.line}\t${businessDate}\t${line.kind}\t${escape(line.paymentNumber)}\t${escape(
    line.channelPaymentId,
  )}\t${escape(line.refundNumber)}\t${escape(line.channelRefundId)}\t${line.amountMinor}\t${orNull(
    line.fee,
  )}\t${orNull(line.rate)}\t${escape(line.stateText)}\t${orNull(line.at)}\t${line.feeBaseMinor ?? '\\N'}\t${
    line.walletPaymentId === undefined ? '\\N' : escape(line.walletPaymentId)
  }\n`

const orNull = (text: string): string => (text === '' ? '\\N' : escape(text))

const SPECIAL = /[\\\t\n\r\0]/
const SPECIALS = new RegExp(SPECIAL, 'g')
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  // PostgreSQL holds no NUL.
  '\0': '\ufffd',
}

/** PostgreSQL manual, COPY, "Text Format". */
const escape = (text: string): string =>
  text !== '' && SPECIAL.test(text) ? text.replace(SPECIALS, (char) => ESCAPES[char] ?? char) : text
