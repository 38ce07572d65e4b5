import { X509Certificate, generateKeyPair, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

/** The only public key id of the emulator; the example of the vendor's documents. */
export const PUBLIC_KEY_ID = 'PUB_KEY_ID_0114232134912410000000000000'

/** The vendor's signing keys, private halves included. */
export interface VendorKeys {
  readonly publicKeyId: string
  readonly publicKeyPem: string
  readonly publicKeyPrivatePem: string
  readonly certificateSerial: string
  readonly certificatePem: string
  readonly certificatePrivatePem: string
}

/** What a merchant owns: the key pair of the API certificate, its serial, and the APIv3 key. */
export interface MerchantKeys {
  readonly privateKeyPem: string
  readonly publicKeyPem: string
  readonly certificateSerial: string
  readonly apiV3Key: string
}

export interface WechatPayKeys {
  readonly merchant: MerchantKeys
  readonly vendor: VendorKeys
}

const RSA_BITS = 2048
const SERIAL_BYTES = 20
const CERTIFICATE_YEARS = 5

const newKeyPair = promisify(generateKeyPair)

interface PemPair {
  readonly privatePem: string
  readonly publicPem: string
}

async function newRsaPair(): Promise<PemPair> {
  const pair = await newKeyPair('rsa', { modulusLength: RSA_BITS })
  return {
    privatePem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicPem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

/** A positive serial of 40 upper-case hex digits without a leading zero. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex').toUpperCase()
}

/** Makes both sides' keys, so that a test or the demo can configure the emulator and its merchant. */
export async function makeWechatPayKeys(): Promise<WechatPayKeys> {
  const [pair, vendor] = await Promise.all([newRsaPair(), makeVendorKeys()])
  const merchant: MerchantKeys = {
    privateKeyPem: pair.privatePem,
    publicKeyPem: pair.publicPem,
    certificateSerial: newSerial(),
    apiV3Key: randomBytes(16).toString('hex'),
  }
  return { merchant, vendor }
}

/** Makes the vendor's public key and one platform certificate. */
export async function makeVendorKeys(): Promise<VendorKeys> {
  const [publicKey, certificate] = await Promise.all([newRsaPair(), newRsaPair()])
  const certificatePem = await selfSign(certificate)
  return {
    publicKeyId: PUBLIC_KEY_ID,
    publicKeyPem: publicKey.publicPem,
    publicKeyPrivatePem: publicKey.privatePem,
    certificateSerial: new X509Certificate(certificatePem).serialNumber.toUpperCase(),
    certificatePem,
    certificatePrivatePem: certificate.privatePem,
  }
}

/** Only its private half is used: to sign what nobody can check. */
export const makeRogueKey = async (): Promise<string> => (await newRsaPair()).privatePem

const RSA_SHA256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const

const derOf = (pem: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64'))

async function selfSign(pair: PemPair): Promise<string> {
  // x509 registers its parts with tsyringe, which needs the metadata polyfill first.
  await import('reflect-metadata')
  const { X509CertificateGenerator, cryptoProvider } = await import('@peculiar/x509')
  cryptoProvider.set(crypto)
  const { subtle } = crypto
  const [privateKey, publicKey] = await Promise.all([
    subtle.importKey('pkcs8', derOf(pair.privatePem), RSA_SHA256, true, ['sign']),
    subtle.importKey('spki', derOf(pair.publicPem), RSA_SHA256, true, ['verify']),
  ])
  const notBefore = new Date()
  const notAfter = new Date(notBefore)
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + CERTIFICATE_YEARS)
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial().toLowerCase(),
    name: 'CN=Tenpay.com Root CA, O=Emulated, C=CN',
    notBefore,
    notAfter,
    signingAlgorithm: RSA_SHA256,
    keys: { privateKey, publicKey },
  })
  return certificate.toString('pem')
}
