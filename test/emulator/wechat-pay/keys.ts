import { randomBytes } from 'node:crypto'

import { issueCertificate, newSerial, serialOfCertificate } from '../core/certificate.ts'
import { newRsaPair } from '../core/rsa.ts'

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
  const subject = 'CN=Tenpay.com Root CA, O=Emulated, C=CN'
  const certificatePem = await issueCertificate({ subject, pair: certificate })
  return {
    publicKeyId: PUBLIC_KEY_ID,
    publicKeyPem: publicKey.publicPem,
    publicKeyPrivatePem: publicKey.privatePem,
    certificateSerial: serialOfCertificate(certificatePem),
    certificatePem,
    certificatePrivatePem: certificate.privatePem,
  }
}
