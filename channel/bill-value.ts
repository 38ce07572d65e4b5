import { BillBroken } from './bill.ts'

/** Decimals that sums of bills are kept with: the fee has five. */
export const SUM_DECIMALS = 5
export const SUM_UNIT = 10n ** BigInt(SUM_DECIMALS)
/** Sums count 0.00001 yuan; amounts count fen. */
export const SUM_UNITS_PER_FEN = 1000n

const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const CHARACTERS_MAX = 20

/**
 * Reads a decimal as a whole number of its smallest unit; `undefined` for what is none, or would have to be
 * rounded. By characters, because each of a million lines has several decimals.
 */
export function parseUnits(text: string, decimals: number): bigint | undefined {
  const from = text.charCodeAt(0) === MINUS ? 1 : 0
  const dot = dotIn(text, from)
  if (dot === undefined || text.length > CHARACTERS_MAX) return undefined
  const places = text.length - dot - 1
  if (places > decimals) return undefined
  if (places < 0) return BigInt(text + '0'.repeat(decimals))
  const digits = text.slice(0, dot) + text.slice(dot + 1)
  return BigInt(places === decimals ? digits : digits + '0'.repeat(decimals - places))
}

/**
 * Where the dot of a decimal stands, behind the text when there is none; `undefined` when it is no decimal.
 * Like the amounts of our own interface it has digits on both sides, and no zero before other digits.
 */
function dotIn(text: string, from: number): number | undefined {
  let dot = text.length
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === DOT && dot === text.length) dot = at
    else if (code < ZERO || code > NINE) return undefined
  }
  const isZeroLed = dot - from > 1 && text.charCodeAt(from) === ZERO
  return dot === from || dot === text.length - 1 || isZeroLed ? undefined : dot
}

/** Writes what `parseUnits` reads, with all decimals. */
export function formatUnits(units: bigint, decimals: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

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
