import { X509Certificate } from 'node:crypto'
import type { FetchedKey } from '../channel.ts'
import { importVerifyingKey } from '../crypto-native.ts'
import { ChannelUnavailable } from '../http.ts'
import type { Answered, RecordExchange } from '../http.ts'
import { sendSigned } from './call.ts'
import type { Context } from './call.ts'
import { normalSerial } from './key.ts'
import { checkSignature } from './signature.ts'
import { openField, parseCertificates, parseVendorError } from './wire.ts'

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
