import { constants, publicEncrypt } from 'node:crypto'

import { newDigits } from '../core/random.ts'
import { CALLBACK_SUCCESS_TEXT, isPending, isSuccess, textOf } from './code.ts'
import type { Fields } from './message.ts'
import { clearingDayOf, parseMoment, traceTimeOf } from './moment.ts'
import type { Message } from './request.ts'
import { chinaDigits } from '../core/china-time.ts'

/** `page` and `wap` are the front door with another `channelType` (dossier 2.1 to 2.3). */
export type Product = 'page' | 'wap' | 'app' | 'qr'

/** What the buyer, or the vendor for a refund, has done so far. */
export interface Attempt {
  /** The inner code of a query. */
  readonly code: string
  readonly queryId: string
  readonly traceNo: string
  readonly traceTime: string
  readonly begunAt: Date
  /** Fen; an order by QR code may leave it to the buyer. */
  readonly amount: bigint
  /** `MMdd`. */
  readonly settleDate: string
}

/** An order to pay. It stays "not found" until the buyer has tried. */
export interface EmulatedOrder {
  readonly kind: 'order'
  readonly product: Product
  readonly message: Message
  /** The vendor's `tn` or the text of the QR code; none at the front door. */
  readonly credential: string | undefined
  readonly createdAt: Date
  /** `payTimeout`. */
  readonly deadline: Date
  readonly attempt: Attempt | undefined
  /** Fen that refunds and voids have taken, those still under way included. */
  readonly takenBack: bigint
}

/** A refund or a void: a transaction of its own, with a number and a fate of its own (dossier 4). */
export interface EmulatedRefund {
  readonly kind: 'refund'
  readonly message: Message
  readonly createdAt: Date
  /** The order that it takes back. */
  readonly origin: string
  readonly attempt: Attempt
}

export type Transaction = EmulatedOrder | EmulatedRefund

/** A QR code lives for a day unless its order says otherwise (dossier 2.3); so do ours at other doors. */
const LIFE_MS = 24 * 3600 * 1000
/** A test card, masked (dossier 6.4). */
const MASKED_CARD = '6216***********0018'

export const keyOf = ({ merId, orderId, txnTime }: Fields): string =>
  `${merId}/${orderId}/${txnTime}`

export function newOrder(
  message: Message,
  { product, credential, now }: { product: Product; credential: string | undefined; now: Date },
): EmulatedOrder {
  const { payTimeout } = message.fields
  const deadline = payTimeout === undefined ? undefined : parseMoment(payTimeout)
  return {
    kind: 'order',
    product,
    message,
    credential,
    createdAt: now,
    deadline: deadline ?? new Date(now.getTime() + LIFE_MS),
    attempt: undefined,
    takenBack: 0n,
  }
}

/** A number as the vendor gives it today: 2 digits, the time, the trace number, an 8 (dossier 2.5). */
export function newAttempt(code: string, amount: bigint, now: Date): Attempt {
  const traceNo = newDigits(6)
  return {
    code,
    queryId: `${newDigits(2)}${chinaDigits(now).slice(2)}${traceNo}8`,
    traceNo,
    traceTime: traceTimeOf(now),
    begunAt: now,
    amount,
    settleDate: clearingDayOf(now).slice(4),
  }
}

/** `undefined` for a QR code whose amount the buyer types. */
export const amountOf = ({ message }: EmulatedOrder): bigint | undefined =>
  message.fields['txnAmt'] === undefined ? undefined : BigInt(message.fields['txnAmt'])

export const isFinal = (attempt: Attempt | undefined): boolean =>
  attempt !== undefined && !isPending(attempt.code)

/** What a callback, a front return and a query say about a transaction (dossier 2.5). */
export function transactionFields(transaction: Transaction, attempt: Attempt): Fields {
  const { fields, merchantPublicPem } = transaction.message
  const hasMoved = isSuccess(attempt.code)
  return {
    ...echo(fields, ['accessType', 'bizType', 'encoding', 'merId', 'orderId', 'reqReserved']),
    ...echo(fields, ['origQryId', 'txnSubType', 'txnTime', 'txnType', 'version']),
    currencyCode: fields['currencyCode'] ?? '156',
    queryId: attempt.queryId,
    traceNo: attempt.traceNo,
    traceTime: attempt.traceTime,
    txnAmt: String(attempt.amount),
    ...(hasMoved && { accNo: sealCardNumber(merchantPublicPem), ...settlementOf(attempt) }),
  }
}

const settlementOf = (attempt: Attempt): Fields => ({
  settleAmt: String(attempt.amount),
  settleCurrencyCode: '156',
  settleDate: attempt.settleDate,
})

/** A callback or a front return, unsigned. */
export function callbackFields(
  transaction: Transaction,
  attempt: Attempt,
  { amountDelta = 0n } = {},
): Fields {
  const changed = { ...attempt, amount: attempt.amount + amountDelta }
  return {
    exchangeRate: '0',
    ...transactionFields(transaction, changed),
    respCode: attempt.code,
    respMsg: attempt.code === '00' ? CALLBACK_SUCCESS_TEXT : textOf(attempt.code),
  }
}

export const echo = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = fields[name]
      return value === undefined || value === '' ? [] : [[name, value]]
    }),
  )

/** Encrypted for the merchant's own certificate (dossier 1.7). */
function sealCardNumber(publicPem: string): string {
  const key = { key: publicPem, padding: constants.RSA_PKCS1_PADDING }
  return publicEncrypt(key, Buffer.from(MASKED_CARD)).toString('base64')
}
