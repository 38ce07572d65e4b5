import { describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { strategies } from '#channel/strategies'
import { assert } from '#domain/assert'
import type { AccountKey } from '#channel/account'
import { keyOf } from '../support.ts'
import {
  certId,
  chain,
  defaultKeys,
  intermediateKey,
  merId,
  merchantKey,
  merchantPem,
  rootKey,
} from './support.ts'

const strategy = strategies['unionpay']
assert(strategy !== undefined, 'the strategy is registered')

const check = (settings: unknown, keys: readonly AccountKey[] = defaultKeys): readonly string[] =>
  strategy.checkAccount(settings, keys)

test('an account with its keys is in order, and is known by its merchant number', () => {
  expect(check({ merId })).toEqual([])
  expect(strategy.identity({ merId })).toEqual({ merId })
  expect(strategy.vendorMerchant({ merId })).toEqual({ vendor: 'unionpay', number: merId })
  expect(strategy.channelName).toBe('unionpay')
})

test.each([
  {},
  { merId: '77729005811004' },
  { merId: '7772900581100488' },
  { merId: '77729005811004-' },
  { merId, environment: 'sandbox' },
  { merId, base_url: 'https://gateway.95516.com/gateway' },
  { merId, base_url: 'ftp://gateway.95516.com' },
  { merId, file_url: 'https://filedownload.95516.com/files' },
  { merId, file_url: 'ftp://filedownload.95516.com' },
  { merId, secureKey: '88888888' },
])('refuses the settings %j', (settings) => {
  expect(check(settings)).not.toEqual([])
})

describe('keys', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()

  test.each<[string, readonly AccountKey[], RegExp]>([
    ['no private key', [rootKey, intermediateKey], /no key for merchant_private/],
    ['no root', [merchantKey], /no key for vendor_root/],
    ['an intermediate without its root', [merchantKey, intermediateKey], /root itself is missing/],
    [
      'an intermediate of another root',
      [merchantKey, rootKey, keyOf('vendor_root', '11', chain.otherIntermediate)],
      /its own issuer is missing/,
    ],
    [
      'UnionPay’s own certificate as a root',
      [...defaultKeys, keyOf('vendor_root', '2', chain.live.certificate)],
      /may not sign others/,
    ],
    ['a root that is none', [...defaultKeys, keyOf('vendor_root', '2', 'x')], /no certificate/],
    [
      'a serial in hexadecimal',
      [keyOf('merchant_private', '10469001AF', merchantPem), rootKey],
      /certId, a decimal number/,
    ],
    [
      'a private key that is none',
      [keyOf('merchant_private', certId, chain.root), rootKey],
      /not RSA in PEM/,
    ],
    ['a short key', [keyOf('merchant_private', certId, short), rootKey], /shorter than 2048/],
    ['a shared key', [...defaultKeys, keyOf('symmetric', 'secureKey', '88888888')], /does not use/],
  ])('refuses an account with %s', (_, keys, problem) => {
    const problems = check({ merId }, keys)
    expect(problems.join('\n')).toMatch(problem)
    expect(problems.join('\n')).not.toMatch(/PRIVATE KEY|88888888/)
  })
})
