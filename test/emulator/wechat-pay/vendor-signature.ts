import { newNonce } from '../core/random.ts'
import { signMessage } from '../core/rsa.ts'
import type { VendorKeys } from './keys.ts'

/** Which of the vendor's two keys signs. */
export type SerialMode = 'public' | 'certificate'

/** How a signature is made. All but `genuine` must fail at the merchant. */
export type SignatureStyle =
  | { readonly kind: 'genuine' }
  /** Signed with a key nobody knows, under a serial everybody knows. */
  | { readonly kind: 'rogue_key'; readonly privateKeyPem: string }
  /** Signature probe traffic (dossier 1.9): a value that strict base64 decoders refuse to read. */
  | { readonly kind: 'probe' }
  /** A probe with the whole signature behind its prefix: a lenient decoder must not accept it either. */
  | { readonly kind: 'full_probe' }
  | { readonly kind: 'unsigned' }

export interface VendorSignatureInput {
  readonly keys: VendorKeys
  readonly serialMode: SerialMode
  readonly now: Date
  readonly body: string
  readonly style?: SignatureStyle
  /** Fixed only to reproduce a published vector. */
  readonly nonce?: string
}

const PROBE_PREFIX = 'WECHATPAY/SIGNTEST/'
const PROBE_CHARACTERS = 336
const NONCE_CHARACTERS = 32
const MS_PER_SECOND = 1000

export const serialOf = (keys: VendorKeys, mode: SerialMode): string =>
  mode === 'public' ? keys.publicKeyId : keys.certificateSerial

const privateKeyOf = (keys: VendorKeys, mode: SerialMode): string =>
  mode === 'public' ? keys.publicKeyPrivatePem : keys.certificatePrivatePem

/** The headers that prove who spoke (dossier 1.5), for answers and for callbacks. */
export function vendorSignatureHeaders(input: VendorSignatureInput): Record<string, string> {
  const style = input.style ?? { kind: 'genuine' }
  if (style.kind === 'unsigned') return {}
  const timestamp = String(Math.floor(input.now.getTime() / MS_PER_SECOND))
  const nonce = input.nonce ?? newNonce(NONCE_CHARACTERS)
  const key =
    style.kind === 'rogue_key' ? style.privateKeyPem : privateKeyOf(input.keys, input.serialMode)
  const signature = signMessage(key, `${timestamp}\n${nonce}\n${input.body}\n`)
  return {
    'Wechatpay-Timestamp': timestamp,
    'Wechatpay-Nonce': nonce,
    'Wechatpay-Signature': dress(signature, style),
    'Wechatpay-Serial': serialOf(input.keys, input.serialMode),
    'Wechatpay-Signature-Type': 'WECHATPAY2-SHA256-RSA2048',
  }
}

function dress(signature: string, style: SignatureStyle): string {
  if (style.kind === 'probe') return PROBE_PREFIX + signature.slice(-PROBE_CHARACTERS)
  if (style.kind === 'full_probe') return PROBE_PREFIX + signature
  return signature
}
