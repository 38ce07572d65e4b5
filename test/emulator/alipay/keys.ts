import type { Issuer } from '../core/certificate.ts'
import { issueCertificate } from '../core/certificate.ts'
import type { PemPair } from '../core/rsa.ts'
import { newRsaPair } from '../core/rsa.ts'
import { certificateNumber, rootNumber } from './certificate-number.ts'
import { SM2_ROOT_PEM } from './sm2-root.ts'

/** A certificate with its private half and the digest that names it. */
export interface NumberedCertificate {
  /** The leaf, then the intermediate, as in the vendor's file. */
  readonly certificatePem: string
  readonly number: string
  readonly privatePem: string
}

/** What a merchant owns: one key pair, which both modes use, and a certificate of it. */
export interface AppKeys {
  readonly privateKeyPem: string
  readonly publicKeyPem: string
  readonly certificatePem: string
  readonly certificateNumber: string
}

/** The vendor's keys, private halves included. */
export interface AlipayVendorKeys {
  /** Of the public-key mode. */
  readonly publicKeyPem: string
  readonly privateKeyPem: string
  /** Of the certificate mode. */
  readonly certificate: NumberedCertificate
  /** The root bundle: one SM2 certificate that is to be skipped, one of ours. */
  readonly rootPem: string
  readonly rootNumber: string
  /** Issues the certificates of the vendor and of the apps. */
  readonly authority: Issuer
}

export interface AlipayKeys {
  readonly app: AppKeys
  readonly vendor: AlipayVendorKeys
}

const ROOT =
  'C=CN, O=Ant Financial, OU=Certification Authority, CN=Emulated Certification Authority R1'
const INTERMEDIATE =
  'C=CN, O=Ant Financial, OU=Certification Authority, CN=Emulated Certification Authority Class 2 R1'
const PLATFORM = 'C=CN, O=Emulated Alipay, OU=Alipay, CN=Emulated platform'
const APP = 'C=CN, O=Demo shop, OU=Alipay, CN=Emulated app'

/** Makes both sides' keys, so that a test or the demo can configure the emulator and its merchant. */
export async function makeAlipayKeys(): Promise<AlipayKeys> {
  const [vendor, pair] = await Promise.all([makeVendorKeys(), newRsaPair()])
  const certificate = await issueFrom(vendor.authority, { subject: APP, pair })
  const app: AppKeys = {
    privateKeyPem: pair.privatePem,
    publicKeyPem: pair.publicPem,
    certificatePem: certificate.certificatePem,
    certificateNumber: certificate.number,
  }
  return { app, vendor }
}

/** Makes the vendor's key pair, a root, an intermediate and one platform certificate. */
export async function makeVendorKeys(): Promise<AlipayVendorKeys> {
  const [pair, root, intermediate] = await Promise.all([newRsaPair(), newRsaPair(), newRsaPair()])
  const rootCertificate = await issueCertificate({ subject: ROOT, pair: root, isAuthority: true })
  const issuer: Issuer = { certificatePem: rootCertificate, privatePem: root.privatePem }
  const authority: Issuer = {
    certificatePem: await issueCertificate({
      subject: INTERMEDIATE,
      pair: intermediate,
      issuer,
      isAuthority: true,
    }),
    privatePem: intermediate.privatePem,
  }
  const rootPem = `${SM2_ROOT_PEM}\n${rootCertificate}\n`
  return {
    publicKeyPem: pair.publicPem,
    privateKeyPem: pair.privatePem,
    certificate: await newPlatformCertificate(authority),
    rootPem,
    rootNumber: rootNumber(rootPem),
    authority,
  }
}

/** How a new platform certificate differs from a good one. */
export interface RotationWish {
  /** Signed by an authority that no root bundle names. */
  readonly isForeign?: boolean
  readonly notBefore?: Date
  readonly notAfter?: Date
}

/** A fresh platform certificate, as the vendor issues every two years. */
export async function newPlatformCertificate(
  authority: Issuer,
  { isForeign = false, ...dates }: RotationWish = {},
): Promise<NumberedCertificate> {
  const issuer = isForeign ? (await makeVendorKeys()).authority : authority
  return issueFrom(issuer, { subject: PLATFORM, pair: await newRsaPair(), ...dates })
}

async function issueFrom(
  issuer: Issuer,
  wish: {
    readonly subject: string
    readonly pair: PemPair
    readonly notBefore?: Date
    readonly notAfter?: Date
  },
): Promise<NumberedCertificate> {
  const leaf = await issueCertificate({ ...wish, issuer })
  return {
    certificatePem: `${leaf}\n${issuer.certificatePem}\n`,
    number: certificateNumber(leaf),
    privatePem: wish.pair.privatePem,
  }
}
