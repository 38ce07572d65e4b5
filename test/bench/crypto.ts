import { constants, createCipheriv, generateKeyPairSync, sign } from 'node:crypto'
import * as peculiar from '#channel/crypto'
import * as native from '#channel/crypto-native'
import { assert } from '#domain/assert'

const ROUNDS = 2000
const BODY_BYTES = 1200

/** How many callbacks a second each library can verify and decrypt on one core. */
export async function benchCrypto(): Promise<{
  peculiar_per_second: number
  native_per_second: number
}> {
  const { pem, message, signature, secret, sealed } = sample()
  const [slowVerify, slowOpen] = await Promise.all([
    peculiar.importVerifyingKey(pem),
    peculiar.importSymmetricKey(secret),
  ])
  const fastVerify = native.importVerifyingKey(pem)
  const fastOpen = native.importSymmetricKey(secret)
  assert(slowVerify !== undefined && slowOpen !== undefined, 'keys of @peculiar/webcrypto')
  assert(fastVerify !== undefined && fastOpen !== undefined, 'keys of node:crypto')
  return {
    peculiar_per_second: await perSecond(async () => {
      assert(await peculiar.verify(slowVerify, message, signature), 'verifies')
      assert((await peculiar.openSealed(slowOpen, sealed)) !== undefined, 'opens')
    }),
    native_per_second: await perSecond(async () => {
      assert(native.verify(fastVerify, message, signature), 'verifies')
      assert(native.openSealed(fastOpen, sealed) !== undefined, 'opens')
    }),
  }
}

function sample() {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const message = new Uint8Array(BODY_BYTES).fill(120)
  const secret = new Uint8Array(32).fill(7)
  const nonce = new Uint8Array(12).fill(1)
  const associatedData = new TextEncoder().encode('transaction')
  const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(associatedData)
  const text = Buffer.concat([cipher.update(message), cipher.final()])
  const key = { key: pair.privateKey, padding: constants.RSA_PKCS1_PADDING }
  return {
    pem: String(pair.publicKey.export({ type: 'spki', format: 'pem' })),
    message,
    signature: sign('sha256', message, key).toString('base64'),
    secret,
    sealed: { nonce, associatedData, ciphertext: Buffer.concat([text, cipher.getAuthTag()]) },
  }
}

async function perSecond(run: () => Promise<void>): Promise<number> {
  for (let round = 0; round < ROUNDS / 10; round += 1) await run()
  const started = performance.now()
  for (let round = 0; round < ROUNDS; round += 1) await run()
  return Math.round((ROUNDS * 1000) / (performance.now() - started))
}
