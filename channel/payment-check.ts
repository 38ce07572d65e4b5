import type { Money } from '#domain/money'
import type { PrepareOutcome } from './channel.ts'
import { isAllowedUrl } from './host.ts'

export type Refused = Extract<PrepareOutcome, { kind: 'refused' }>

/** What a vendor would refuse; `undefined` for what it takes. */
export type Check<Context extends readonly unknown[]> = (...context: Context) => string | undefined

/** By the field's name in our API, in the order in which they are made. */
export type Checks<Context extends readonly unknown[]> = Readonly<Record<string, Check<Context>>>

/** The first refusal, before a number is used up at the vendor. */
export function firstRefusal<Context extends readonly unknown[]>(
  checks: Checks<Context>,
  ...context: Context
): Refused | undefined {
  for (const [field, check] of Object.entries(checks)) {
    const problem = check(...context)
    if (problem !== undefined) return refuse(field, problem)
  }
  return undefined
}

export const refuse = (field: string, problem: string): Refused => ({
  kind: 'refused',
  code: 'INVALID_PAYMENT',
  message: `${field}: ${problem}`,
})

/** Characters as a reader of the vendor's document counts them: code points, not bytes. */
export function withinCharacters(text: string, max: number): string | undefined {
  const characters = Array.from(text).length
  return characters >= 1 && characters <= max
    ? undefined
    : `expected 1 to ${max} characters, found ${characters}`
}

export function checkAmount(amount: Money, minorMax: bigint): string | undefined {
  if (amount.currency !== 'CNY') return 'expected CNY'
  return amount.minor >= 1n && amount.minor <= minorMax
    ? undefined
    : `expected 1 to ${minorMax} fen, found ${amount.minor}`
}

/** An address of ours that the vendor calls or sends the customer to: they refuse a query, or sign it. */
export function checkAddress(
  url: string,
  { localHosts }: { readonly localHosts: readonly string[] },
  charactersMax: number,
): string | undefined {
  if (/[?#]/.test(url)) return 'must have no query'
  if (!isAllowedUrl(url, localHosts)) return 'expected https and a public host'
  return withinCharacters(url, charactersMax)
}
