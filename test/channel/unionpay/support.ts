import { createHash, sign } from 'node:crypto'
import type { CallbackReading, PaymentRequest } from '#channel/channel'
import { assert } from '#domain/assert'
import { cny } from '#domain/money'
import type { PaymentFacts } from '#domain/notification'
import chain from '../../fixture/unionpay/chain.json'
import vector from '../../fixture/unionpay/vector.json'
import { callbackAs, channelBuilder, contentOf, keyOf, paymentId, unarmour } from '../support.ts'
import type { Built } from '../support.ts'

export { chain, vector }

export const merchantPem = unarmour(chain.merchant.privateKey)
export const { certId } = chain.merchant
export const merId = '777290058110048'
export const now = new Date('2026-03-14T02:15:30Z')
export const txnTime = '20260314101530'

export const merchantKey = keyOf('merchant_private', certId, merchantPem)
export const rootKey = keyOf('vendor_root', '10', chain.root)
export const intermediateKey = keyOf('vendor_root', '11', chain.intermediate)
/** CFCA's own key under our root: the published certificates chain to it (see the fixture). */
export const cfcaKey = keyOf('vendor_root', '12', chain.cfcaIntermediate)
export const defaultKeys = [merchantKey, rootKey, intermediateKey, cfcaKey]

export const buildChannel = channelBuilder({
  strategy: 'unionpay',
  at: now,
  settings: { merId },
  keys: defaultKeys,
})

export type Message = Readonly<Record<string, string>>

type Signed = Record<string, string>

type SignerName =
  | 'live'
  | 'test'
  | 'other'
  | 'short'
  | 'twoNames'
  | 'lineBreak'
  | 'forged'
  | 'byLeaf'
  | 'copiedKeyId'
  | 'selfSigned'

export const crlf = (pem: string): string => pem.replaceAll('\n', '\r\n')

/** The text that is signed, written by hand and never by the code under test (dossier, section 1.5). */
export const textOf = (message: Message): string =>
  Object.keys(message)
    .filter((name) => name !== 'signature' && message[name] !== '')
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((name) => `${name}=${message[name]}`)
    .join('&')

export const sha256 = (text: string | Uint8Array): string =>
  createHash('sha256').update(text).digest('hex')

/** Signs as the vendor does, with node:crypto. */
export function signedBy(message: Message, name: SignerName = 'live'): Signed {
  const { certificate, privateKey } = chain[name]
  const full = { signMethod: '01', signPubKeyCert: crlf(certificate), ...message }
  const digest = Buffer.from(sha256(textOf(full)))
  const signature = sign('sha256', digest, unarmour(privateKey)).toString('base64')
  return { ...full, signature }
}

/** As a browser or the vendor's notifier encodes a form: once. */
export const formOf = (message: Message): string =>
  Object.entries(message)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')

/** As an answer is written: nothing is encoded. */
export const rawOf = (message: Message): string =>
  Object.entries(message)
    .map(([name, value]) => `${name}=${value}`)
    .join('&')

export const reference = {
  paymentId,
  method: 'page',
  createdAt: now,
  vendorTime: txnTime,
} as const

export const requestOf = (changes: Partial<PaymentRequest> = {}): PaymentRequest => ({
  paymentId,
  method: 'page',
  amount: cny(12_800n),
  subject: 'Green tea 绿茶',
  clientIp: '203.0.113.9',
  expiresAt: new Date(now.getTime() + 900_000),
  callbackUrl: 'https://pay.example.com/callback/a',
  returnUrl: 'https://pay.example.com/return/a/p',
  ...changes,
})

/** A consume notice as section 6.4 shows it, about the tests' payment. */
export const noticeOf = (changes: Message = {}): Message => ({
  accNo: 'cDg4jpD9tKxlI4si91lomXcSjQeOyOxEFLmMc9BLmsJrLPMqmN0JIU+kJUD1MVYCfpXRs/GFGDwerg==',
  accessType: '0',
  bizType: '000201',
  currencyCode: '156',
  encoding: 'UTF-8',
  exchangeRate: '0',
  merId,
  orderId: paymentId,
  queryId: '782603141015300001238',
  respCode: '00',
  respMsg: '成功[0000000]',
  settleAmt: '12723',
  settleCurrencyCode: '156',
  settleDate: '0314',
  traceNo: '000123',
  traceTime: '0314101530',
  txnAmt: '12800',
  txnSubType: '01',
  txnTime,
  txnType: '01',
  version: '5.1.0',
  ...changes,
})

export const callbackOf = callbackAs('application/x-www-form-urlencoded;charset=UTF-8')

export const read = (
  body: string | Uint8Array,
  built: Built = buildChannel(),
): Promise<CallbackReading> => built.channel.readCallback(callbackOf(built, body))

/** Reads a notice that the vendor signed. */
export const readSigned = (changes: Message = {}, built?: Built): Promise<CallbackReading> =>
  read(formOf(signedBy(noticeOf(changes))), built)

export function factsOf(reading: CallbackReading): PaymentFacts {
  const { facts } = contentOf(reading)
  assert(facts.kind === 'payment', `expected a payment, found ${facts.kind}`)
  return facts
}

/** A message of the dossier, its certificate in place. */
export function vectorMessage(
  { text, signature }: { readonly text: string; readonly signature: string },
  certificate: string = vector.vendorCertificate2020,
): Message {
  const pairs = text.split('&').map((pair): [string, string] => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1).replace('{CERT}', crlf(certificate))]
  })
  const { signPubKeyCert = '', ...rest } = Object.fromEntries(pairs)
  // The bodies put the certificate and the signature last.
  return { ...rest, ...(signPubKeyCert === '' ? {} : { signPubKeyCert }), signature }
}
