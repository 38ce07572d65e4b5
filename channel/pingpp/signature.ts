import type { RejectionReason } from '../channel.ts'
import { verify } from '../crypto-native.ts'
import { decodeBase64, sha256Hex, sign } from '../crypto.ts'
import type { SigningKey } from '../crypto.ts'
import { redact } from '../redact.ts'
import type { VendorKey } from './key.ts'

export interface RequestToSign {
  /** Path with `/v1`, and the encoded query if there is one, exactly as sent. */
  readonly target: string
  /** The text of the header `Pingplusplus-Request-Timestamp`. */
  readonly timestamp: string
  /** Exactly as sent; empty without a body. */
  readonly body: string
}

/** Ping++ dossier, section 1.1: body, address and time follow each other with nothing between them. */
export const requestMessage = ({ body, target, timestamp }: RequestToSign): string =>
  body + target + timestamp

/** Ping++ dossier, section 1.1: the two headers; the time that is signed is the time that is sent. */
export async function signRequest(
  key: SigningKey,
  request: RequestToSign,
): Promise<Readonly<Record<string, string>>> {
  return {
    'pingplusplus-request-timestamp': request.timestamp,
    'pingplusplus-signature': await sign(key, requestMessage(request)),
  }
}

/** Ping++ dossier, sections 1.2 and 4.2: on answers and on callbacks. */
export const SIGNATURE_HEADER = 'x-pingplusplus-signature'
const SIGNATURE_CHARACTERS_MAX = 2048
const EXPLAINED_BYTES_MAX = 16_384
const EXPLAINED_CHARACTERS_MAX = 200

export type SignatureCheck =
  | { readonly kind: 'valid'; readonly serial: string }
  | {
      readonly kind: 'invalid'
      readonly reason: Extract<
        RejectionReason,
        'header_missing' | 'header_malformed' | 'bad_signature'
      >
      readonly explanation: string
    }

export interface SignedMessage {
  /** Names are lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/**
 * Checks the vendor's signature over the raw bytes of an answer or a callback.
 *
 * Ping++ dossier, section 4.2: no time and no address are signed, so an old message verifies for ever; and no
 * serial is sent, so each key that has not ended is tried (payment rules, section 2, check 5).
 */
export async function checkSignature(
  keys: readonly VendorKey[],
  { headers, body }: SignedMessage,
): Promise<SignatureCheck> {
  const signature = headers[SIGNATURE_HEADER] ?? ''
  if (signature === '') return invalid('header_missing', `expected ${SIGNATURE_HEADER}`)
  if (signature.length > SIGNATURE_CHARACTERS_MAX || decodeBase64(signature) === undefined) {
    return invalid('header_malformed', `cannot read ${SIGNATURE_HEADER}`)
  }
  for (const { serial, key } of keys) {
    if (verify(key, body, signature)) return { kind: 'valid', serial }
  }
  return invalid('bad_signature', await explain(keys, body))
}

type Invalid = Extract<SignatureCheck, { kind: 'invalid' }>

const invalid = (reason: Invalid['reason'], explanation: string): Invalid => ({
  kind: 'invalid',
  reason,
  explanation,
})

/** The digest tells a changed body from a wrong key. The body is plain text, so payer data is taken out. */
async function explain(keys: readonly VendorKey[], body: Uint8Array): Promise<string> {
  const start = new TextDecoder().decode(body.subarray(0, EXPLAINED_BYTES_MAX))
  const tried = keys.map(({ serial }) => serial).join(', ') || 'none, all have ended'
  return (
    `keys tried: ${tried}; message of ${body.length} bytes, sha256 ${await sha256Hex(body)}: ` +
    JSON.stringify(redact(start).slice(0, EXPLAINED_CHARACTERS_MAX))
  )
}
