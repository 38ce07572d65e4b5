import { createHash, randomBytes } from 'node:crypto'

import { newRsaPair } from '../core/rsa.ts'

/** A key pair of Ping++; the public half is what its dashboard shows. */
export interface VendorKeys {
  readonly publicKeyPem: string
  readonly privateKeyPem: string
}

/** What a merchant owns: two API keys, and the pair whose public half it uploaded (dossier 1, 1.1). */
export interface MerchantKeys {
  readonly liveKey: string
  readonly testKey: string
  readonly privateKeyPem: string
  readonly publicKeyPem: string
}

export interface PingppKeys {
  readonly merchant: MerchantKeys
  readonly vendor: VendorKeys
}

const API_KEY_BYTES = 12
const FINGERPRINT_CHARACTERS = 16

/** Makes both sides' keys, so that a test or the demo can configure the emulator and its merchant. */
export async function makePingppKeys(): Promise<PingppKeys> {
  const [pair, vendor] = await Promise.all([newRsaPair(), makeVendorKeys()])
  const merchant: MerchantKeys = {
    liveKey: `sk_live_${randomBytes(API_KEY_BYTES).toString('hex')}`,
    testKey: `sk_test_${randomBytes(API_KEY_BYTES).toString('hex')}`,
    privateKeyPem: pair.privatePem,
    publicKeyPem: pair.publicPem,
  }
  return { merchant, vendor }
}

/** Makes the pair that signs events and answers. */
export async function makeVendorKeys(): Promise<VendorKeys> {
  const pair = await newRsaPair()
  return { publicKeyPem: pair.publicPem, privateKeyPem: pair.privatePem }
}

/** Ping++ gives its keys no number; in our log a key is called by the start of its SHA-256. */
export const fingerprint = (publicKeyPem: string): string =>
  createHash('sha256').update(publicKeyPem).digest('hex').slice(0, FINGERPRINT_CHARACTERS)

/** The keys that Ping++ signs with: the one of today, and the one before it. */
export class Keyring {
  #current: VendorKeys
  #previous: VendorKeys | undefined

  constructor(keys: VendorKeys) {
    this.#current = keys
  }

  get current(): VendorKeys {
    return this.#current
  }

  /** The current one, as long as there was no other. */
  get previous(): VendorKeys {
    return this.#previous ?? this.#current
  }

  /** A new key signs from now on. The old one is still known to the fault panel. */
  rotate(keys: VendorKeys): void {
    this.#previous = this.#current
    this.#current = keys
  }
}
