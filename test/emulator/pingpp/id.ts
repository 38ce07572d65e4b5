import { chinaDigits } from '../core/china-time.ts'
import { newDigits, newNonce } from '../core/random.ts'

const ID_CHANCE_DIGITS = 15
const EVENT_CHANCE_DIGITS = 9
const CHANNEL_REFUND_DIGITS = 15
const TOKEN_CHANCE_DIGITS = 7
const REQUEST_CHARACTERS = 24

/** Without the century: `240816`. */
const shortDay = (moment: Date): string => chinaDigits(moment).slice(2, 8)

/** `ch_` and 24 digits, the newer form (dossier 2.2). */
export const newChargeId = (now: Date): string =>
  `ch_100${shortDay(now)}${newDigits(ID_CHANCE_DIGITS)}`

export const newRefundId = (now: Date): string =>
  `re_200${shortDay(now)}${newDigits(ID_CHANCE_DIGITS)}`

/** `evt_400`, day and time in China, nine digits. */
export const newEventId = (now: Date): string =>
  `evt_400${chinaDigits(now).slice(2)}${newDigits(EVENT_CHANCE_DIGITS)}`

/** The id of an API request, which events name. */
export const newRequestId = (): string => `iar_${newNonce(REQUEST_CHARACTERS)}`

/** 21 digits that no other credential has; the form of a UnionPay `tn`. */
export const newToken = (now: Date): string =>
  `${chinaDigits(now)}${newDigits(TOKEN_CHANCE_DIGITS)}`

/** The number of a payment at the channel: 28 digits. */
export const newTransactionNumber = (now: Date): string =>
  `${chinaDigits(now)}${newDigits(CHANNEL_REFUND_DIGITS - 1)}`
