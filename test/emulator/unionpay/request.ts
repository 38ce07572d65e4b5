import { createPublicKey } from 'node:crypto'

import type { ApiRequest } from '../core/server.ts'
import type { Charset } from './charset.ts'
import { textOf } from './code.ts'
import type { FieldFault, Operation } from './field-rule.ts'
import { findCommonFault, findFieldFault } from './field-rule.ts'
import { certIdOf } from './keys.ts'
import type { Fields } from './message.ts'
import { readForm } from './message.ts'
import { parseMoment } from './moment.ts'
import { isSigned } from './signature.ts'

/** A merchant that the vendor knows. */
export interface EmulatedMerchant {
  readonly merId: string
  /** Every certificate in force; `certId` of a message picks one. */
  readonly certificatesPem: readonly string[]
}

/** A message that was understood: well formed, and signed by its merchant. */
export interface Message {
  readonly operation: Operation
  readonly fields: Fields
  readonly charset: Charset
  /** The merchant's own key, for what only he may read. */
  readonly merchantPublicPem: string
}

/** A message that was not. `fields` are what could be read, for the echo. */
export interface Refusal {
  readonly code: string
  readonly text: string
  readonly fields: Fields
  readonly charset: Charset
}

export type MessageReading =
  ({ readonly kind: 'accepted' } & Message) | ({ readonly kind: 'refused' } & Refusal)

export interface RequestDeps {
  readonly merchants: readonly EmulatedMerchant[]
  readonly now: () => Date
}

/** Where a message was posted (dossier 1.1). */
export type Door = 'front' | 'back' | 'app' | 'query' | 'file'

const FORM_TYPE = /^application\/x-www-form-urlencoded\b/i

/** "The current time" says the vendor; the hour that it tolerates is ours, no source has a figure. */
const TIME_TOLERANCE_MS = 3600 * 1000

/** Reads, understands and verifies what a merchant posted. */
export function readMessage(deps: RequestDeps, door: Door, request: ApiRequest): MessageReading {
  const reading = readForm(request.bytes)
  if (reading.kind === 'unreadable' || !FORM_TYPE.test(request.headers.get('content-type') ?? '')) {
    const why = reading.kind === 'unreadable' ? reading.why : 'Content-Type'
    return { kind: 'refused', code: '10', text: `${textOf('10')}[${why}]`, ...NOTHING }
  }
  const { fields, charset } = reading
  const judgement = judge(deps, door, fields)
  if ('code' in judgement) return { kind: 'refused', ...judgement, fields, charset }
  return { kind: 'accepted', ...judgement, fields, charset }
}

const NOTHING = { fields: {}, charset: 'UTF-8' } as const

type Judgement =
  | Pick<Message, 'operation' | 'merchantPublicPem'>
  | { readonly code: string; readonly text: string }

function judge(deps: RequestDeps, door: Door, fields: Fields): Judgement {
  const common = findCommonFault(fields)
  if (common !== undefined) return say(common)
  const merchant = deps.merchants.find(({ merId }) => merId === fields['merId'])
  if (merchant === undefined) return { code: '31', text: textOf('31') }
  const certificate = merchant.certificatesPem.find((pem) => certIdOf(pem) === fields['certId'])
  if (certificate === undefined || !isSigned(fields, certificate)) {
    return { code: '11', text: textOf('11') }
  }
  const operation = operationOf(door, fields)
  if (operation === undefined) return { code: '32', text: textOf('32') }
  const fault = findFieldFault(operation, fields) ?? findQueryFault(operation, fields)
  if (fault !== undefined) return say(fault)
  if (operation !== 'query' && !isCurrent(deps.now(), fields['txnTime'] ?? '')) {
    return { code: '10', text: 'txnTime invalid' }
  }
  return { operation, merchantPublicPem: publicPemOf(certificate) }
}

const say = ({ code, field }: FieldFault): { code: string; text: string } => ({
  code,
  text: `${textOf(code)}[${field}]`,
})

/** Which operation a door and the two types ask for. Some query QR orders at the back door (dossier 2.4). */
function operationOf(door: Door, fields: Fields): Operation | undefined {
  const type = `${fields['txnType']}/${fields['txnSubType']}`
  if (door === 'front' || door === 'app') return type === '01/01' ? door : undefined
  if (door === 'file') return type === '76/01' ? door : undefined
  if (type === '00/00' || type === '00/02') return 'query'
  return door === 'back' ? BACK[type] : undefined
}

const BACK: Readonly<Record<string, Operation>> = {
  '01/07': 'qr',
  '04/00': 'refund',
  '31/00': 'void',
}

/** A query names the order number and its time, or, as sub-type 02, the vendor's number (dossier 3.1). */
function findQueryFault(operation: Operation, fields: Fields): FieldFault | undefined {
  if (operation !== 'query') return undefined
  const names = fields['txnSubType'] === '02' ? ['queryId'] : ['orderId', 'txnTime']
  const field = names.find((name) => (fields[name] ?? '') === '')
  return field === undefined ? undefined : { code: '13', field }
}

function isCurrent(now: Date, txnTime: string): boolean {
  const moment = parseMoment(txnTime)
  return moment !== undefined && Math.abs(now.getTime() - moment.getTime()) <= TIME_TOLERANCE_MS
}

const publicPemOf = (certificatePem: string): string =>
  createPublicKey(certificatePem).export({ type: 'spki', format: 'pem' }).toString()
