import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { Secret } from '#domain/secret'

/** The key-encryption key of this installation: 32 bytes, from a file or a variable, never stored. */
export interface SealKey {
  readonly bytes: Buffer
}

const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const FORMAT = 1

/** The sealed bytes were made with another key, belong to another row, or were changed. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken'
}

/** Reads the key-encryption key: 64 hex digits. `undefined` for anything else. */
export function parseSealKey(text: string): SealKey | undefined {
  if (!/^[0-9a-fA-F]{64}$/.test(text.trim())) return undefined
  return { bytes: Buffer.from(text.trim(), 'hex') }
}

function encrypt(key: Buffer, plain: Buffer, identity: string): Buffer {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(identity))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: Buffer, sealed: Buffer, identity: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES))
  decipher.setAAD(Buffer.from(identity))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()])
}

const WRAPPED_BYTES = IV_BYTES + KEY_BYTES + TAG_BYTES

/**
 * Seals a secret with a data key of its own, which is wrapped by the installation's key.
 *
 * The row's identity is authenticated: sealed bytes that were moved to another row do not open.
 */
export function seal(key: SealKey, secret: Secret, identity: string): Buffer {
  const dataKey = randomBytes(KEY_BYTES)
  const wrapped = encrypt(key.bytes, dataKey, identity)
  const sealed = encrypt(dataKey, Buffer.from(secret.reveal()), identity)
  return Buffer.concat([Buffer.from([FORMAT]), wrapped, sealed])
}

/** Opens what `seal` made for the same row. Throws `SealBroken`. */
export function unseal(key: SealKey, bytes: Buffer, identity: string): Secret {
  try {
    if (bytes[0] !== FORMAT) throw new Error(`format ${bytes[0]}`)
    const dataKey = decrypt(key.bytes, bytes.subarray(1, 1 + WRAPPED_BYTES), identity)
    return new Secret(decrypt(dataKey, bytes.subarray(1 + WRAPPED_BYTES), identity).toString())
  } catch (cause) {
    throw new SealBroken(
      `the sealed key of ${identity} does not open with this installation's key`,
      {
        cause,
      },
    )
  }
}
