import { newDigits } from '../core/random.ts'
import { chinaDigits } from '../core/china-time.ts'
import type { Reply } from './answer.ts'
import { isUnknown, textOf } from './code.ts'
import type { Fields } from './message.ts'
import type { Attempt, Product, Transaction } from './order.ts'
import { newOrder, transactionFields } from './order.ts'
import { takeRefund } from './refund.ts'
import type { Message } from './request.ts'
import type { UnionpayVendor } from './vendor.ts'
import { parseMoment } from './moment.ts'

const DAY_MS = 24 * 3600 * 1000
/** The longest life of a QR code (dossier 2.3). */
const QR_DAYS_MAX = 31

/** Handles a message that was understood, except at the front door. */
export function handleMessage(vendor: UnionpayVendor, message: Message): Reply | Promise<Reply> {
  const { operation } = message
  if (operation === 'query') return query(vendor, message)
  if (operation === 'file') return vendor.bills.ask(message)
  const { answerCode } = vendor.panel.get()
  if (answerCode !== '' && !isUnknown(answerCode)) return { operation, code: answerCode }
  const problem = findOrderProblem(vendor, message)
  if (problem !== undefined) return { operation, ...problem }
  return operation === 'refund' || operation === 'void'
    ? refund(vendor, message)
    : create(vendor, message)
}

/** What speaks against any new order: its number is used, or nobody could pay it any more. */
export function findOrderProblem(
  vendor: UnionpayVendor,
  { fields, operation }: Message,
): Pick<Reply, 'code' | 'text'> | undefined {
  if (vendor.book.findSameDay(fields) !== undefined) return { code: '12' }
  const { payTimeout } = fields
  const deadline = payTimeout === undefined ? undefined : parseMoment(payTimeout)
  if (deadline === undefined) return undefined
  const lifeMs = deadline.getTime() - vendor.now().getTime()
  const isTooLong = operation === 'qr' && lifeMs > QR_DAYS_MAX * DAY_MS
  return lifeMs <= 0 || isTooLong ? { code: '10', text: `${textOf('10')}[payTimeout]` } : undefined
}

/** An app or QR order: known from now on, and not paid. */
async function create(vendor: UnionpayVendor, message: Message): Promise<Reply> {
  const product: Product = message.operation === 'qr' ? 'qr' : 'app'
  const now = vendor.now()
  const credential = product === 'qr' ? newQrCode() : `${chinaDigits(now)}${newDigits(7)}`
  vendor.book.put(newOrder(message, { product, credential, now }))
  if (vendor.panel.get().callbackBeforeAnswer) {
    const result = vendor.pay(credential)
    if (result.kind === 'moved') await result.first
  }
  const fields = product === 'qr' ? { qrCode: credential } : { tn: credential }
  return committed(vendor, message, fields)
}

async function refund(vendor: UnionpayVendor, message: Message): Promise<Reply> {
  const move = takeRefund(vendor.book, message, vendor.now())
  if (move.kind === 'refused') return { operation: message.operation, ...move }
  const { queryId } = move.refund.attempt
  const { holdRefunds, refundCode, callbackBeforeAnswer } = vendor.panel.get()
  if (!holdRefunds) {
    const { orderId = '', merId } = message.fields
    const campaign = vendor.finishRefund(orderId, refundCode, merId)
    if (callbackBeforeAnswer) await campaign?.first
  }
  return committed(vendor, message, { queryId })
}

/** Done; the panel may have the vendor say that it does not know. */
function committed(vendor: UnionpayVendor, { operation }: Message, fields: Fields): Reply {
  const { answerCode } = vendor.panel.get()
  if (answerCode !== '') return { operation, code: answerCode, hasCommitted: true }
  return { operation, code: '00', fields, hasCommitted: true }
}

const newQrCode = (): string => `https://qr.95516.com/00010000/62${newDigits(30)}`

/** The outer code is the fate of the query, the inner one that of the transaction (dossier 3.1). */
function query(vendor: UnionpayVendor, { fields, operation }: Message): Reply {
  const { panel, book } = vendor
  if (panel.take('tooManyQueries')) return { operation, code: '37' }
  if (panel.take('notFoundQueries')) return { operation, code: '34' }
  const { queryCode } = panel.get()
  if (queryCode !== '') return { operation, code: queryCode }
  const { merId, queryId = '', txnSubType } = fields
  const found = txnSubType === '02' ? book.findByQueryId(merId, queryId) : book.find(fields)
  // The payer may still be looking at the cashier page: there is an order, but no transaction.
  if (found?.attempt === undefined) return { operation, code: '34' }
  const answer = queryFields(vendor, found, found.attempt)
  return { operation, code: '00', fields: { ...answer, bizType: fields['bizType'] ?? '' } }
}

function queryFields(vendor: UnionpayVendor, transaction: Transaction, attempt: Attempt): Fields {
  const { unknownTradeState } = vendor.panel.get()
  const code = unknownTradeState === '' ? attempt.code : unknownTradeState
  return {
    issuerIdentifyMode: '0',
    ...transactionFields(transaction, attempt),
    origRespCode: code,
    origRespMsg: textOf(code),
  }
}
