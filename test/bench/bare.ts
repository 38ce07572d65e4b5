import { z } from 'zod'
import { strategies } from '#channel/strategies'
import { newChannelAccountId } from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import { Secret } from '#domain/secret'
import { APPID, MCHID } from '../support/platform.ts'
import { keysSchema, readSet } from './callback-set.ts'
import { answer, readArgument } from './child.ts'

// Verifies and reads the callbacks in a bare loop: what one core can do without HTTP.

const { keys, now, path, warmUp } = readArgument(
  z.object({
    keys: keysSchema,
    now: z.coerce.date(),
    path: z.string(),
    warmUp: z.number(),
  }),
)

const account = newChannelAccountId()
const strategy = strategies['wechat-pay']
if (strategy === undefined) throw new Error('no strategy wechat-pay')
const channel = strategy.create(
  {
    id: account,
    strategy: 'wechat-pay',
    settings: { mchid: MCHID, appid: APPID, base_url: 'http://127.0.0.1:1' },
    keys: [
      key('merchant_private', keys.merchant.certificateSerial, keys.merchant.privateKeyPem),
      key('vendor_public', keys.vendor.publicKeyId, keys.vendor.publicKeyPem),
      key('symmetric', 'current', keys.merchant.apiV3Key),
    ],
  },
  {
    clock: { now: () => now },
    fetch: (url, init) => fetch(url, init),
    localHosts: ['127.0.0.1:1'],
    newNonce: () => '',
  },
)

function key(purpose: KeyPurpose, serial: string, text: string) {
  return { purpose, serial, value: new Secret(text) }
}

const callbacks = (await readSet(path)).map(({ headers, body }) => ({
  account,
  headers: Object.fromEntries(new Headers(headers)),
  body: new TextEncoder().encode(body),
}))

let startedAt = 0
for (const [index, callback] of callbacks.entries()) {
  if (index === warmUp) startedAt = performance.now()
  const { kind } = await channel.readCallback(callback)
  if (kind !== 'verified') throw new Error(`callback ${index} was ${kind}`)
}
answer(((callbacks.length - warmUp) * 1000) / (performance.now() - startedAt))
