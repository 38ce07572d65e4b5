import { z } from 'zod'

import type { EmulatedCharge } from './charge.ts'
import type { ChargeBook } from './charge-book.ts'
import { QR_PREFIXES } from './credential.ts'

const fields = z.record(z.string(), z.string())

/** What a shop hands to the buyer: a form, an address, a QR text, or parameters for a wallet's SDK. */
export const buyerActionSchema = z.union([
  z.object({ type: z.literal('form'), action: z.string().exactOptional(), fields }),
  z.object({ type: z.literal('redirect'), url: z.url() }),
  z.object({ type: z.literal('qr_code'), content: z.string() }),
  z.object({ type: z.literal('sdk'), params: fields }),
])

export type BuyerAction = z.output<typeof buyerActionSchema>

/** `altered`: the wallet refuses it, because it is not what was issued. */
export type ActionReading =
  | { readonly kind: 'found'; readonly charge: EmulatedCharge }
  | { readonly kind: 'refused'; readonly reason: 'missing' | 'altered' }

const TOKEN = /\d{21}/g
const CHARGE_ID = /ch_\d{24}/g

/** Names that the client takes out or adds on its way (dossier 2.5). */
const ADDRESS_KEYS = new Set(['channel_url', 'channelUrl', 'ChannelUrl', 'url'])
const MODE_KEY = 'mode'
const OPTIONAL_KEYS = new Set([...ADDRESS_KEYS, 'appId', MODE_KEY])
const ADDED_KEYS = new Set(['_input_charset'])

/** Does what a wallet or a bank does with what the shop gave to the buyer: finds the payment, or refuses. */
export function readAction(book: ChargeBook, action: BuyerAction): ActionReading {
  const charge = findCharge(book, textOf(action))
  if (charge === undefined) return { kind: 'refused', reason: 'missing' }
  const isRight = isAsIssued(charge.credential, action)
  return isRight ? { kind: 'found', charge } : { kind: 'refused', reason: 'altered' }
}

/** Everything in it in one text; the charge is somewhere in there. */
function textOf(action: BuyerAction): string {
  switch (action.type) {
    case 'form':
      return Object.values(action.fields).join('\n')
    case 'redirect':
      return [...new URL(action.url).searchParams.values()].join('\n')
    case 'qr_code':
      return action.content
    case 'sdk':
      return Object.values(action.params).join('\n')
  }
}

function findCharge(book: ChargeBook, text: string): EmulatedCharge | undefined {
  for (const [id] of text.matchAll(CHARGE_ID)) {
    const charge = book.find(id)
    if (charge !== undefined) return charge
  }
  for (const [token] of text.matchAll(TOKEN)) {
    const charge = book.findByToken(token)
    if (charge !== undefined) return charge
  }
  return undefined
}

function isAsIssued(credential: unknown, action: BuyerAction): boolean {
  switch (action.type) {
    case 'form':
      return equalFields(fieldsOf(credential), action.fields)
    case 'redirect':
      return isRedirectAsIssued(credential, action.url)
    case 'qr_code':
      return credential === action.content && isQr(action.content)
    case 'sdk':
      return holdsFields(fieldsOf(credential), action.params)
  }
}

const isQr = (content: string): boolean =>
  Object.values(QR_PREFIXES).some((prefix) => content.startsWith(prefix))

function isRedirectAsIssued(credential: unknown, address: string): boolean {
  const whole = typeof credential === 'string' ? credential : fieldsOf(credential)['url']
  if (whole !== undefined && whole.includes('?')) return whole === address
  const { searchParams } = new URL(address)
  return equalFields(fieldsOf(credential), Object.fromEntries(searchParams))
}

/** A credential as texts; one that is a text itself has no name of its own. */
function fieldsOf(credential: unknown): Readonly<Record<string, string>> {
  if (typeof credential === 'string') return { value: credential }
  if (typeof credential !== 'object' || credential === null) return {}
  return Object.fromEntries(Object.entries(credential).map(([key, value]) => [key, String(value)]))
}

type Fields = Readonly<Record<string, string>>

/** Nothing changed, nothing lost, nothing added but what the client must. */
function equalFields(issued: Fields, received: Fields): boolean {
  const isComplete = Object.entries(issued).every(
    ([key, value]) => ADDRESS_KEYS.has(key) || key === MODE_KEY || received[key] === value,
  )
  const isPure = Object.keys(received).every(
    (key) => ADDED_KEYS.has(key) || (key in issued && !ADDRESS_KEYS.has(key)),
  )
  return isComplete && isPure
}

/** An SDK gets every value that was issued, under whatever name the shop's app reads it by. */
function holdsFields(issued: Fields, params: Fields): boolean {
  const values = new Set(Object.values(params))
  return Object.entries(issued).every(([key, value]) => OPTIONAL_KEYS.has(key) || values.has(value))
}
