import { BillBroken } from './bill.ts'

/** Decimals that sums of bills are kept with: the fee has five. */
export const SUM_DECIMALS = 5
export const SUM_UNIT = 10n ** BigInt(SUM_DECIMALS)
/** Sums count 0.00001 yuan; amounts count fen. */
export const SUM_UNITS_PER_FEN = 1000n

/** Decimals of yuan in fen. */
export const FEN_DECIMALS = 2

const MOMENT =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])) (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d$/
const DATE_CHARACTERS = 10

/** `yyyy-MM-dd HH:mm:ss` of Beijing as RFC 3339 (WeChat Pay dossier, section 6.7; Alipay dossier, section 1.10). */
export function readMoment(text: string, line: number): string {
  if (!MOMENT.test(text) || !isDate(text.slice(0, DATE_CHARACTERS))) {
    throw new BillBroken(`expected a time, found "${shown(text)}"`, line)
  }
  return `${text.slice(0, DATE_CHARACTERS)}T${text.slice(DATE_CHARACTERS + 1)}+08:00`
}

const EVERY_MONTH_DAYS = 28
const DAY_AT = 8

/** 30 February is none. Looked up only where not every month has the day. */
const isDate = (date: string): boolean =>
  Number(date.slice(DAY_AT)) <= EVERY_MONTH_DAYS ||
  new Date(`${date}T00:00:00Z`).toJSON()?.startsWith(date)

const SHOWN_CHARACTERS = 40

/** Enough of a value to find it by. */
export const shown = (text: string): string => text.slice(0, SHOWN_CHARACTERS)
