import { signMessage } from '../core/rsa.ts'
import type { Node } from './answer.ts'
import type { Charset } from './charset.ts'
import { encode } from './charset.ts'
import type { SpeakingKey } from './courier.ts'

export interface EnvelopeInput {
  /** `undefined`: the method could not be resolved. */
  readonly method: string | undefined
  readonly node: Node
  readonly charset: Charset
  /** `undefined` leaves the signature out (dossier 1.5). */
  readonly key: SpeakingKey | undefined
  readonly hasEscapedSlashes: boolean
}

/** The answer's bytes: what is signed is the node as it stands there (dossier 1.4). */
export function sealEnvelope(input: EnvelopeInput): Buffer<ArrayBuffer> {
  const name = input.method === undefined ? 'error' : input.method.replaceAll('.', '_')
  const json = JSON.stringify(input.node)
  const node = encode(
    input.hasEscapedSlashes ? json.replaceAll('/', String.raw`\/`) : json,
    input.charset,
  )
  return Buffer.concat([
    Buffer.from(`{"${name}_response":`),
    node,
    Buffer.from(signatureOf(node, input.key)),
    Buffer.from('}'),
  ])
}

function signatureOf(node: Uint8Array, key: SpeakingKey | undefined): string {
  if (key === undefined) return ''
  const { certificateNumber: number, privatePem } = key
  const certificate = number === undefined ? '' : `,"alipay_cert_sn":"${number}"`
  return `${certificate},"sign":"${signMessage(privatePem, node)}"`
}
