import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import forge from 'node-forge'
import { Secret } from '#domain/secret'

/** `problem` is for the operator and holds nothing of the file or its password. */
export type PfxOutcome =
  | {
      readonly kind: 'opened'
      /** PKCS#8 in PEM. */
      readonly privateKey: Secret
      readonly certificate: X509Certificate
    }
  | { readonly kind: 'unreadable'; readonly problem: string }

/**
 * Opens a PKCS#12 file: one private RSA key and its certificate; others in it are left out.
 *
 * UnionPay's files are sealed with RC2 and 3DES, which OpenSSL 3 and the browsers' libraries refuse
 * (dossier, section 7.10). That is why forge reads them, once, and the key is kept as PEM.
 */
export function openPfx(bytes: Uint8Array, password: Secret): PfxOutcome {
  const bags = readBags(bytes, password)
  if (bags === undefined) {
    return unreadable('its pfx_file does not open; check the password and that it is PKCS#12')
  }
  const keys = bags.keys.map(readKey).filter((key) => key !== undefined)
  const [key, another] = keys
  if (key === undefined) return unreadable('its pfx_file holds no private RSA key')
  if (another !== undefined) return unreadable('its pfx_file holds several private keys')
  const certificate = bags.certificates
    .map(readCertificate)
    .find((item) => item?.checkPrivateKey(key) === true)
  if (certificate === undefined) {
    return unreadable('its pfx_file holds no certificate of its private key')
  }
  return { kind: 'opened', privateKey: pemOf(key), certificate }
}

const unreadable = (problem: string): PfxOutcome => ({ kind: 'unreadable', problem })

interface Bags {
  readonly keys: readonly forge.pkcs12.Bag[]
  readonly certificates: readonly forge.pkcs12.Bag[]
}

function readBags(bytes: Uint8Array, password: Secret): Bags | undefined {
  try {
    const der = forge.asn1.fromDer(Buffer.from(bytes).toString('latin1'))
    const pfx = forge.pkcs12.pkcs12FromAsn1(der, password.reveal())
    const { certBag, keyBag, pkcs8ShroudedKeyBag } = forge.pki.oids
    const bagsOf = (bagType: string | undefined): readonly forge.pkcs12.Bag[] =>
      bagType === undefined ? [] : (pfx.getBags({ bagType })[bagType] ?? [])
    return {
      keys: [...bagsOf(pkcs8ShroudedKeyBag), ...bagsOf(keyBag)],
      certificates: bagsOf(certBag),
    }
  } catch {
    // Its messages tell a wrong password from a wrong file by their wording only, and may quote the file.
    return undefined
  }
}

function readKey({ key }: forge.pkcs12.Bag): KeyObject | undefined {
  try {
    return key ? createPrivateKey(forge.pki.privateKeyToPem(key)) : undefined
  } catch {
    // A key of another kind than RSA.
    return undefined
  }
}

function readCertificate({ cert }: forge.pkcs12.Bag): X509Certificate | undefined {
  try {
    return cert ? new X509Certificate(forge.pki.certificateToPem(cert)) : undefined
  } catch {
    // A certificate that is not for RSA belongs to no key that we take.
    return undefined
  }
}

const pemOf = (key: KeyObject): Secret =>
  new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString())
