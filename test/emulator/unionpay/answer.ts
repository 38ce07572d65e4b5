import type { FaultPanel } from '../core/knobs.ts'
import type { VendorAnswer } from '../core/server.ts'
import { textOf } from './code.ts'
import type { Knobs } from './knobs.ts'
import type { Fields } from './message.ts'
import { writeFields } from './message.ts'
import { echo } from './order.ts'
import type { Refusal } from './request.ts'
import type { Seal, SealStyle } from './seal.ts'

export interface AnswerDeps {
  readonly seal: Seal
  readonly panel: FaultPanel<Knobs>
}

/** What the vendor says to a message, before it is signed. */
export interface Reply {
  readonly operation: string
  readonly code: string
  /** The usual text of the code unless given. */
  readonly text?: string
  /** Beyond the echo. */
  readonly fields?: Fields
  readonly hasCommitted?: boolean
}

const ECHO = ['accessType', 'bizType', 'encoding', 'merId', 'orderId', 'reqReserved', 'txnSubType']
const ECHO_LAST = ['txnTime', 'txnType', 'version', 'origQryId', 'txnAmt', 'currencyCode']

/** Writes a synchronous answer: signed, and with raw values (dossier 1.1). */
export function writeAnswer(
  deps: AnswerDeps,
  { fields, charset }: Pick<Refusal, 'fields' | 'charset'>,
  reply: Reply,
): VendorAnswer {
  const { code, operation, text = textOf(code), hasCommitted = false } = reply
  const named = {
    ...echo(fields, [...ECHO, ...ECHO_LAST]),
    ...reply.fields,
    respCode: code,
    respMsg: text,
  }
  const body = writeFields(deps.seal.sign(named, answerStyle(deps)), { charset, escapes: 'none' })
  const headers = { 'Content-Type': `text/html;charset=${charset}` }
  return { response: new Response(body, { headers }), operation, code, hasCommitted }
}

function answerStyle({ panel, seal }: AnswerDeps): SealStyle {
  if (panel.take('unsignedAnswers')) return { kind: 'unsigned' }
  if (panel.take('badlySignedAnswers')) {
    return { kind: 'rogue_key', privatePem: seal.rogueKeyPem }
  }
  const { answerCertificate: certificate } = panel.get()
  return certificate === 'genuine' ? { kind: 'genuine' } : { kind: 'certificate', certificate }
}
