import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { readPrivatePem } from '#channel/crypto'
import type { StoredKey } from '#db/account/account'
import { Secret } from '#domain/secret'
import type { KeyEntry, PemKeyEntry, PfxKeyEntry } from './account-file.ts'
import { Failure } from './failure.ts'

/** Where the account file is, what time it is, and where passwords may be. */
export interface KeySource {
  readonly directory: string
  readonly now: Date
  readonly env: Readonly<Record<string, string | undefined>>
}

const FILE_BYTES_MAX = 65_536

/** Reads one key and checks what its certificate says. Throws a `Failure` that holds no key material. */
export async function loadKey(entry: KeyEntry, source: KeySource): Promise<StoredKey> {
  const label = `key ${entry.purpose}`
  return 'pfx_file' in entry
    ? loadPfxKey(entry, { label, source })
    : loadPemKey(entry, { label, source })
}

async function loadPemKey(entry: PemKeyEntry, { label, source }: Place): Promise<StoredKey> {
  const value = await loadText(entry.file, { label, field: 'file', source })
  // A key in place of its name would be printed by every list of keys.
  if (value.reveal().includes(entry.serial) && entry.serial.length >= SERIAL_SUSPECT_LENGTH) {
    throw new Failure(
      'usage',
      `${label}: its serial is part of the key; write the key's name there`,
    )
  }
  const certificate = await certificateOf(entry, value, { label, source })
  if (certificate === undefined) return { purpose: entry.purpose, serial: entry.serial, value }
  checkSerial(entry, certificate, label)
  const dates = datesOf(certificate, { label, source })
  return { purpose: entry.purpose, serial: entry.serial, value, ...dates }
}

/** UnionPay's `certId` is the whole serial of the certificate as a decimal number (dossier, section 1.4). */
async function loadPfxKey(entry: PfxKeyEntry, place: Place): Promise<StoredKey> {
  const { label, source } = place
  const password = await loadPassword(entry, place)
  const bytes = await loadBytes(entry.pfx_file, { label, field: 'pfx_file', source })
  // Loaded only here: its readers of foreign bytes have no place in a process that serves vendors.
  const { openPfx } = await import('./pfx-file.ts')
  const opened = openPfx(bytes, password)
  if (opened.kind === 'unreadable') throw new Failure('usage', `${label}: ${opened.problem}`)
  const serial = BigInt(`0x${opened.certificate.serialNumber}`).toString()
  if (entry.serial !== undefined && entry.serial !== serial) {
    throw new Failure(
      'usage',
      `${label}: the certificate has the serial ${serial}, the account file says something else`,
    )
  }
  const dates = datesOf(opened.certificate, place)
  return { purpose: entry.purpose, serial, value: opened.privateKey, ...dates }
}

async function loadPassword(entry: PfxKeyEntry, { label, source }: Place): Promise<Secret> {
  const { password_file: file, password_variable: variable } = entry
  if (file !== undefined && variable === undefined) {
    return loadText(file, { label, field: 'password_file', source })
  }
  const password = variable === undefined ? undefined : source.env[variable]
  if (file === undefined && password !== undefined) return new Secret(password)
  throw new Failure(
    'usage',
    `${label}: give its password in a password_file, or in the variable that password_variable names`,
  )
}

function datesOf(certificate: X509Certificate, { label, source }: Place) {
  const validFrom = new Date(certificate.validFrom)
  const validUntil = new Date(certificate.validTo)
  if (source.now < validUntil) return { validFrom, validUntil }
  throw new Failure(
    'usage',
    `${label}: its certificate ended on ${validUntil.toISOString()}; get a new one`,
  )
}

const SERIAL_SUSPECT_LENGTH = 16

interface Place {
  readonly label: string
  readonly source: KeySource
}

async function certificateOf(
  entry: PemKeyEntry,
  value: Secret,
  place: Place,
): Promise<X509Certificate | undefined> {
  const { label, source } = place
  if (entry.certificate_file !== undefined && entry.purpose !== 'merchant_private') {
    throw new Failure('usage', `${label}: certificate_file belongs to a merchant_private key only`)
  }
  switch (entry.purpose) {
    case 'merchant_private': {
      if (entry.certificate_file === undefined) return undefined
      const options = { label, field: 'certificate_file', source }
      return readPair(value, await loadText(entry.certificate_file, options), label)
    }
    case 'merchant_certificate':
    case 'vendor_root':
      return parseCertificate(value.reveal(), label)
    case 'vendor_public':
      return readVendorKey(value.reveal(), label)
    case 'symmetric':
    case 'api_secret':
      return undefined
    default:
      return entry.purpose satisfies never
  }
}

function readPair(privateKey: Secret, pem: Secret, label: string): X509Certificate {
  const certificate = parseCertificate(pem.reveal(), label)
  const key = readPrivatePem(privateKey.reveal())
  if (key === undefined)
    throw new Failure('usage', `${label}: its file is no RSA private key in PEM`)
  if (certificate.checkPrivateKey(key)) return certificate
  throw new Failure(
    'usage',
    `${label}: the certificate belongs to another private key; give the two files of one pair`,
  )
}

/** Libraries read a public key out of a private one; a private key has no business here. */
function readVendorKey(pem: string, label: string): X509Certificate | undefined {
  if (pem.includes('PRIVATE KEY')) {
    throw new Failure(
      'usage',
      `${label}: its file holds a private key; give the vendor's public key`,
    )
  }
  return pem.includes('BEGIN CERTIFICATE') ? parseCertificate(pem, label) : undefined
}

function parseCertificate(pem: string, label: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    // What the library says about bad PEM helps nobody.
    throw new Failure('usage', `${label}: its certificate is not X.509 in PEM; download it again`)
  }
}

/** Serials are hex numbers: case and leading zeros do not count. */
const normalSerial = (serial: string): string => serial.toUpperCase().replace(/^0+(?=.)/, '')

function checkSerial(entry: PemKeyEntry, certificate: X509Certificate, label: string): void {
  const found = normalSerial(certificate.serialNumber)
  if (normalSerial(entry.serial) === found) return
  throw new Failure(
    'usage',
    `${label}: the certificate has the serial ${found}, the account file says something else`,
  )
}

interface Named extends Place {
  readonly field: string
}

async function loadText(path: string, named: Named): Promise<Secret> {
  const text = Buffer.from(await loadBytes(path, named)).toString('utf8')
  // Editors end a file with a line break, which is no part of a symmetric key.
  return new Secret(text.replace(/\r?\n$/, ''))
}

/** The path is not repeated: somebody will paste the key itself there. */
async function loadBytes(path: string, { label, field, source }: Named): Promise<Uint8Array> {
  const full = resolve(source.directory, path)
  try {
    const { size } = await stat(full)
    if (size > FILE_BYTES_MAX)
      throw new Failure('usage', `${label}: its ${field} is no key: too long`)
    return await readFile(full)
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure(
      'usage',
      `${label}: cannot read its ${field}; the path starts at the folder of the account file`,
    )
  }
}
