import { formatChinaTime } from '../core/china-time.ts'
import { newNonce } from '../core/random.ts'
import { sealText } from './crypto.ts'
import type { VendorKeys } from './keys.ts'
import type { SerialMode, SignatureStyle } from './vendor-signature.ts'
import { vendorSignatureHeaders } from './vendor-signature.ts'

export interface SignCallbackInput {
  readonly keys: VendorKeys
  readonly apiV3Key: string
  /** JSON text of the order or refund object. */
  readonly plaintext: string
  readonly eventType: string
  readonly id: string
  readonly now: Date
  readonly serialMode: SerialMode
  readonly style?: SignatureStyle
  /** When the event happened; `now` unless given. Re-sends keep it. */
  readonly createdAt?: Date
  /** Both fixed only to reproduce a published vector. */
  readonly nonce?: string
  readonly resourceNonce?: string
}

export interface SignedCallback {
  readonly headers: Record<string, string>
  readonly body: string
}

const RESOURCE_NONCE_CHARACTERS = 12

const SUMMARIES: Readonly<Record<string, string>> = {
  'TRANSACTION.SUCCESS': '支付成功',
  'REFUND.SUCCESS': '退款成功',
  'REFUND.ABNORMAL': '退款异常',
  'REFUND.CLOSED': '退款关闭',
}

/** Makes one callback, ready to POST (dossier 4.1). Pure but for the fresh nonces. */
export function signCallback(input: SignCallbackInput): SignedCallback {
  const originalType = input.eventType.startsWith('REFUND.') ? 'refund' : 'transaction'
  const nonce = input.resourceNonce ?? newNonce(RESOURCE_NONCE_CHARACTERS)
  const { apiV3Key, plaintext } = input
  const body = JSON.stringify({
    id: input.id,
    create_time: formatChinaTime(input.createdAt ?? input.now),
    resource_type: 'encrypt-resource',
    event_type: input.eventType,
    summary: SUMMARIES[input.eventType] ?? input.eventType,
    resource: {
      original_type: originalType,
      algorithm: 'AEAD_AES_256_GCM',
      ciphertext: sealText({ apiV3Key, nonce, associatedData: originalType, plaintext }),
      associated_data: originalType,
      nonce,
    },
  })
  const signature = vendorSignatureHeaders({
    keys: input.keys,
    serialMode: input.serialMode,
    now: input.now,
    body,
    ...(input.style !== undefined && { style: input.style }),
    ...(input.nonce !== undefined && { nonce: input.nonce }),
  })
  return {
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': 'Mozilla/4.0',
      ...signature,
    },
    body,
  }
}
