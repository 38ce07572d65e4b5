import { X509Certificate } from 'node:crypto'
import type { KeyPurpose } from '#domain/key'
import type { Clock } from '#domain/time'
import type { Account, AccountKey } from '../account.ts'
import type { FetchedKey } from '../channel.ts'
import { importSymmetricKey, importVerifyingKey } from '../crypto-native.ts'
import type { NativeSymmetricKey, NativeVerifyingKey } from '../crypto-native.ts'
import { importSigningKey, utf8 } from '../crypto.ts'
import type { SigningKey } from '../crypto.ts'
import { ChannelUnavailable } from '../http.ts'
import type { Answered, RecordExchange } from '../http.ts'
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

interface Imported<Key> {
  readonly account: AccountKey
  readonly key: Key
}

export function createKeyring(account: Account, clock: Clock): Keyring {
  const publicKeys = importAll(account, 'vendor_public', importVerifyingKey)
  const secrets = importAll(account, 'symmetric', (text) =>
    isApiv3Key(text) ? importSymmetricKey(utf8(text)) : undefined,
  )
  const bySerial = new Map(publicKeys.map((item) => [normalSerial(item.account.serial), item]))
  const signers = new Map<AccountKey, Promise<Signer>>()
  return {
    signer: () => currentSigner(account, clock.now(), signers),
    verifying(serial) {
      const found = bySerial.get(normalSerial(serial))
      return found !== undefined && isUnexpired(found.account, clock.now()) ? found.key : undefined
    },
    symmetric: () => current(secrets, clock.now()).map((item) => item.key),
    publicKeyId: () =>
      current(publicKeys, clock.now()).find((item) => isPublicKeyId(item.account.serial))?.account
        .serial,
  }
}

function importAll<Key>(
  account: Account,
  purpose: KeyPurpose,
  read: (text: string) => Key | undefined,
): readonly Imported<Key>[] {
  return account.keys
    .filter((item) => item.purpose === purpose)
    .flatMap((item) => {
      const key = read(item.value.reveal())
      return key === undefined ? [] : [{ account: item, key }]
    })
}

function currentSigner(
  account: Account,
  now: Date,
  signers: Map<AccountKey, Promise<Signer>>,
): Promise<Signer> {
  const candidates = account.keys
    .filter((key) => key.purpose === 'merchant_private')
    .map((key) => ({ account: key, key }))
  const [chosen] = current(candidates, now)
  if (chosen === undefined) throw new ChannelUnavailable('no valid merchant_private key')
  const existing = signers.get(chosen.key) ?? importSigner(chosen.key)
  signers.set(chosen.key, existing)
  return existing
}

async function importSigner(item: AccountKey): Promise<Signer> {
  const key = await importSigningKey(item.value.reveal())
  if (key === undefined) throw new ChannelUnavailable('the merchant_private key is not RSA in PEM')
  return { serial: item.serial.toUpperCase(), key }
}

const isUnexpired = (key: AccountKey, now: Date): boolean =>
  key.validUntil === undefined || now < key.validUntil

const startOf = (key: AccountKey): number => key.validFrom?.getTime() ?? 0

/** Keys that have not ended: those in force first, the newest of them leading; then those yet to come. */
function current<Item extends { readonly account: AccountKey }>(
  items: readonly Item[],
  now: Date,
): readonly Item[] {
  const rank = (item: Item): number => (startOf(item.account) <= now.getTime() ? 0 : 1)
  return items
    .filter((item) => isUnexpired(item.account, now))
    .toSorted((a, b) => rank(a) - rank(b) || startOf(b.account) - startOf(a.account))
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
