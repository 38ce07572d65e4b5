import { X509Certificate } from 'node:crypto'
import type { Clock } from '#domain/time'
import { currentKeys, importKeys, isUnexpired } from '../account.ts'
import type { Account } from '../account.ts'
import type { FetchedKey } from '../channel.ts'
import { importSymmetricKey, importVerifyingKey } from '../crypto-native.ts'
import type { NativeSymmetricKey, NativeVerifyingKey } from '../crypto-native.ts'
import { utf8 } from '../crypto.ts'
import type { SigningKey } from '../crypto.ts'
import { ChannelUnavailable } from '../http.ts'
import type { Answered, RecordExchange } from '../http.ts'
import { createSigners, currentKey } from '../own-key.ts'
import { sendSigned } from './call.ts'
import type { Context } from './call.ts'
import { isApiv3Key, isPublicKeyId } from './settings.ts'
import { checkSignature } from './signature.ts'
import { openField, parseCertificates, parseVendorError } from './wire.ts'

export interface Signer {
  /** Serial of the merchant's own certificate, upper-case hex; never the vendor's. */
  readonly serial: string
  readonly key: SigningKey
}

/** The keys of one account, imported once. Which of them count is asked again at every use. */
export interface Keyring {
  signer(): Promise<Signer>
  /** The vendor's key with this serial; `undefined` when we hold none that is still valid. */
  verifying(serial: string): NativeVerifyingKey | undefined
  /** APIv3 keys, the current one first: a message may be older than the last change of key. */
  symmetric(): readonly NativeSymmetricKey[]
  /** The id to announce with every request in public-key mode (dossier, section 1.7). */
  publicKeyId(): string | undefined
}

/**
 * One spelling for a vendor key's serial.
 *
 * WeChat Pay dossier, section 1.5: certificate serials are hex numbers, so case and leading zeros do not
 * count; `PUB_KEY_ID_…` is a name and stays as it is. The names carry an underscore, so the two never meet.
 */
export const normalSerial = (serial: string): string =>
  /^[0-9A-Fa-f]+$/.test(serial) ? serial.toUpperCase().replace(/^0+(?=.)/, '') : serial

export function createKeyring(account: Account, clock: Clock): Keyring {
  const signerOf = createSigners()
  const publicKeys = importKeys(account.keys, 'vendor_public', importVerifyingKey)
  const secrets = importKeys(account.keys, 'symmetric', (text) =>
    isApiv3Key(text) ? importSymmetricKey(utf8(text)) : undefined,
  )
  const bySerial = new Map(
    Array.from(publicKeys.keys(), (item) => [normalSerial(item.serial), item]),
  )
  return {
    async signer() {
      const chosen = currentKey(account, 'merchant_private', clock.now())
      return { serial: chosen.serial.toUpperCase(), key: await signerOf(chosen) }
    },
    verifying(serial) {
      const item = bySerial.get(normalSerial(serial))
      return item !== undefined && isUnexpired(item, clock.now()) ? publicKeys.get(item) : undefined
    },
    symmetric: () =>
      currentKeys(secrets.keys(), clock.now())
        .map((item) => secrets.get(item))
        .filter((key) => key !== undefined),
    publicKeyId: () =>
      currentKeys(publicKeys.keys(), clock.now()).find(({ serial }) => isPublicKeyId(serial))
        ?.serial,
  }
}

/**
 * Downloads the platform certificates: all of them, because old and new sign side by side.
 *
 * WeChat Pay dossier, section 1.6. The first download has nothing to verify it with: the certificates are
 * opened with the APIv3 key, which proves who sealed them, and then verify the answer that brought them.
 * A merchant without certificates (all new ones) gets 404, and that is an empty list. Throws
 * `ChannelUnavailable` otherwise; the caller keeps the keys that it has.
 */
export async function fetchKeys(
  context: Context,
  record: RecordExchange,
): Promise<readonly FetchedKey[]> {
  const call = { kind: 'key', method: 'GET', target: '/v3/certificates' } as const
  const outcome = await sendSigned(context, call, record)
  if (outcome.kind === 'no_answer') throw new ChannelUnavailable(`certificates: ${outcome.cause}`)
  if (outcome.status === 404 && parseVendorError(outcome.body)?.code === 'RESOURCE_NOT_EXISTS') {
    return []
  }
  if (outcome.status !== 200) throw new ChannelUnavailable(`certificates: status ${outcome.status}`)
  return openCertificates(context, outcome)
}

function openCertificates(context: Context, answered: Answered): readonly FetchedKey[] {
  const items = parseCertificates(answered.body)
  if (items === undefined) throw new ChannelUnavailable('certificates: the list cannot be read')
  const secrets = context.keyring.symmetric()
  const fetched = items.map((item) => {
    const plain = openField(secrets, item.sealed)
    const pem = plain && Buffer.from(plain).toString('utf8')
    return pem === undefined ? undefined : readCertificate(pem, item.serial)
  })
  const opened = fetched.filter((key) => key !== undefined)
  if (opened.length < items.length) {
    throw new ChannelUnavailable(`certificates: ${opened.length} of ${items.length} can be opened`)
  }
  assertGenuine(context, answered, opened)
  return opened
}

function assertGenuine(context: Context, answered: Answered, opened: readonly FetchedKey[]): void {
  const fresh = new Map(opened.map((key) => [normalSerial(key.serial), key.pem]))
  const check = checkSignature(
    (serial) => {
      const pem = fresh.get(normalSerial(serial))
      return pem === undefined ? context.keyring.verifying(serial) : importVerifyingKey(pem)
    },
    context.deps.clock,
    answered,
  )
  if (check.kind === 'invalid') throw new ChannelUnavailable(`certificates: ${check.reason}`)
}

/** Reads a platform certificate; `undefined` unless it is one and carries the serial that was announced. */
export function readCertificate(pem: string, announcedSerial: string): FetchedKey | undefined {
  try {
    const certificate = new X509Certificate(pem)
    if (normalSerial(certificate.serialNumber) !== normalSerial(announcedSerial)) return undefined
    return {
      serial: announcedSerial,
      pem,
      validFrom: new Date(certificate.validFrom),
      validUntil: new Date(certificate.validTo),
    }
  } catch {
    // Not a certificate: whoever knows the APIv3 key sent something else under that name.
    return undefined
  }
}
