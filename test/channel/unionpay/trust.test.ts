import { describe, expect, test } from 'bun:test'
import { createKeyring } from '#channel/unionpay/key'
import { settingsSchema } from '#channel/unionpay/settings'
import type { AccountKey } from '#channel/account'
import { clockAt, keyOf, reasonOf } from '../support.ts'
import type { ChannelSetup } from '../support.ts'
import {
  buildChannel,
  cfcaKey,
  chain,
  crlf,
  defaultKeys,
  formOf,
  intermediateKey,
  merId,
  noticeOf,
  now,
  read,
  readSigned,
  rootKey,
  signedBy,
  vector,
} from './support.ts'

const otherRoot = keyOf('vendor_root', '10', chain.otherRoot)
const otherIntermediate = keyOf('vendor_root', '11', chain.otherIntermediate)

type SignerName = Parameters<typeof signedBy>[1]

const readAs = async (name: SignerName, setup: ChannelSetup = {}): Promise<string> =>
  reasonOf(await read(formOf(signedBy(noticeOf(), name)), buildChannel(setup)))

const [merchantKey] = defaultKeys
const withRoots = (...roots: readonly AccountKey[]): ChannelSetup => ({
  keys: [...defaultKeys.slice(0, 1), ...roots],
})

describe('the certificate in a message', () => {
  test('is taken when it chains to a root of the account', async () => {
    expect(await readAs('live')).toBe('verified')
    expect(await readAs('live', withRoots(intermediateKey, rootKey))).toBe('verified')
  })

  test.each([
    ['forged', 'a certificate of another authority with the same names'],
    ['copiedKeyId', 'a certificate that names the right authority’s key and has not its signature'],
    ['selfSigned', 'a certificate that signs itself'],
    ['byLeaf', 'a certificate signed by somebody’s ordinary certificate'],
  ] as const)(
    'unionpay checklist 14: refuses %s, %s, though the signature is right',
    async (name) => {
      expect(await readAs(name)).toBe('untrusted_certificate')
    },
  )

  test('unionpay checklist 14: refuses it when its own chain is not ours', async () => {
    expect(await readAs('live', withRoots(otherRoot, otherIntermediate))).toBe(
      'untrusted_certificate',
    )
    expect(await readAs('forged', withRoots(otherRoot, otherIntermediate))).toBe('verified')
  })

  test('takes the chain that is signed where two authorities have one name', async () => {
    const roots = withRoots(otherIntermediate, otherRoot, intermediateKey, rootKey)
    expect(await readAs('live', roots)).toBe('verified')
    expect(await readAs('forged', roots)).toBe('verified')
    expect(await readAs('byLeaf', roots)).toBe('untrusted_certificate')
  })

  test('refuses a certificate whose own owner signed the message with another key', async () => {
    const message = { ...noticeOf(), signPubKeyCert: crlf(chain.live.certificate) }
    expect(reasonOf(await read(formOf(signedBy(message, 'other'))))).toBe('bad_signature')
  })

  test.each([
    ['other', 'another company'],
    ['short', 'a name without parts'],
    ['twoNames', 'two names, the first of them right'],
    ['lineBreak', 'a name hidden in another part by a line break'],
  ] as const)('unionpay checklist 15: refuses %s, %s, of the same authority', async (name) => {
    expect(await readAs(name)).toBe('untrusted_certificate')
    expect(await readAs(name, { settings: { environment: 'test' } })).toBe('untrusted_certificate')
  })

  test('unionpay checklist 15: takes the old test name in the test environment only', async () => {
    expect(await readAs('test')).toBe('untrusted_certificate')
    expect(await readAs('test', { settings: { environment: 'test' } })).toBe('verified')
    expect(await readAs('live', { settings: { environment: 'test' } })).toBe('verified')
  })

  test.each([
    [-1, 'untrusted_certificate'],
    [0, 'verified'],
  ])('is refused before it begins: %d s', async (seconds, expected) => {
    const at = new Date(Date.UTC(2024, 0, 1) + seconds * 1000)
    expect(await readAs('live', { at })).toBe(expected)
  })

  const endedIntermediate = keyOf('vendor_root', '13', chain.endedIntermediate)
  const endedRoot = keyOf('vendor_root', '14', chain.endedRoot)

  test.each<[string, readonly AccountKey[]]>([
    ['intermediate', [rootKey, endedIntermediate]],
    ['root', [endedRoot, intermediateKey]],
  ])('is refused when the %s above it has ended, by the clock', async (_, roots) => {
    const ended = new Date(Date.UTC(2025, 0, 1))
    const before = new Date(ended.getTime() - 1000)
    const setup = withRoots(...roots)
    expect(await readAs('live', { ...setup, at: before })).toBe('verified')
    expect(await readAs('live', { ...setup, at: ended })).toBe('untrusted_certificate')
    const built = buildChannel({ ...setup, at: before })
    const body = formOf(signedBy(noticeOf()))
    expect(reasonOf(await read(body, built))).toBe('verified')
    // What was found good once is good for as long as all above it.
    built.clock.set(ended)
    expect(reasonOf(await read(body, built))).toBe('untrusted_certificate')
  })

  test('is taken with a renewed authority beside the ended one', async () => {
    const roots = withRoots(endedRoot, endedIntermediate, rootKey, intermediateKey)
    expect(await readAs('live', roots)).toBe('verified')
  })

  test('is judged by the clock again each time it comes', async () => {
    const built = buildChannel()
    const body = formOf(signedBy(noticeOf()))
    expect(reasonOf(await read(body, built))).toBe('verified')
    built.clock.set(new Date(Date.UTC(2029, 0, 1)))
    expect(reasonOf(await read(body, built))).toBe('untrusted_certificate')
    built.clock.set(now)
    expect(reasonOf(await read(body, built))).toBe('verified')
  })

  test.each(['', 'x', '-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----'])(
    'is refused when it is none: %j',
    async (signPubKeyCert) => {
      const reading = await read(formOf({ ...signedBy(noticeOf()), signPubKeyCert }))
      expect(reasonOf(reading)).toBe(
        signPubKeyCert === '' ? 'field_missing' : 'untrusted_certificate',
      )
    },
  )
})

test.each(['signature', 'signPubKeyCert'])(
  'unionpay checklist 16: refuses a notice without %s',
  async (name) => {
    const { [name]: _missing, ...message } = signedBy(noticeOf())
    expect(reasonOf(await read(formOf(message)))).toBe('field_missing')
    expect(reasonOf(await read(formOf({ ...message, [name]: ' ' })))).toBe('field_missing')
  },
)

test.each(['signMethod', 'version'])('refuses a notice that does not say its %s', async (name) => {
  expect(reasonOf(await readSigned({ [name]: '' }))).toBe('wrong_algorithm')
})

describe('the keyring', () => {
  const keyringAt = (at: Date, environment: string, keys = defaultKeys) => {
    const account = { id: buildChannel().account.id, strategy: 'unionpay', settings: {} }
    const settings = settingsSchema.parse({ merId, environment })
    return createKeyring({ ...account, keys }, settings, clockAt(at))
  }

  // The check of an account refuses these; the judgement does not rest on it.
  test('trusts nothing without a root, and nothing that an ordinary certificate signed', () => {
    const rootless = keyringAt(now, 'live', [intermediateKey])
    expect(rootless.trust(chain.live.certificate).kind).toBe('untrusted')
    const ordinary = keyOf('vendor_root', '2', chain.other.certificate)
    const careless = keyringAt(now, 'live', [rootKey, intermediateKey, ordinary])
    expect(careless.trust(chain.live.certificate).kind).toBe('trusted')
    expect(careless.trust(chain.byLeaf.certificate).kind).toBe('untrusted')
  })

  test('judges a certificate once and hands out the same key again', () => {
    const keyring = keyringAt(now, 'live')
    const first = keyring.trust(crlf(chain.live.certificate))
    expect(first).toMatchObject({ kind: 'trusted', certId: '70061654017' })
    expect(keyring.trust(crlf(chain.live.certificate))).toBe(first)
  })

  test('trusts no certificate with any byte changed, and never throws', () => {
    const keyring = keyringAt(now, 'live')
    const der = Buffer.from(chain.live.certificate.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    for (let at = 0; at < der.length; at += 1) {
      for (const mask of [1, 0x80, 0xff]) {
        const changed = Buffer.from(der)
        changed[at] = (changed[at] ?? 0) ^ mask
        const lines = changed.toString('base64').match(/.{1,64}/g) ?? []
        const pem = ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----'].join(
          '\n',
        )
        expect(keyring.trust(pem).kind).toBe('untrusted')
      }
    }
  })

  test('forgets the oldest certificate, so that many spellings of one fill nothing', () => {
    const keyring = keyringAt(now, 'live')
    const pem = chain.live.certificate
    const first = keyring.trust(pem)
    for (let blanks = 1; blanks <= 20; blanks += 1) keyring.trust('\n'.repeat(blanks) + pem)
    expect(keyring.trust(pem)).toEqual(first)
    expect(keyring.trust(pem)).not.toBe(first)
  })

  test('takes the published certificate of 2015 in the test environment of its years', () => {
    const at = new Date('2016-06-01T00:00:00Z')
    const pem = crlf(vector.vendorCertificate2015)
    expect(keyringAt(at, 'test').trust(pem)).toMatchObject({ certId: '68759585097' })
    expect(keyringAt(at, 'live').trust(pem).kind).toBe('untrusted')
  })

  test('reads the merchant’s certificate as no certificate of UnionPay', () => {
    const pem = vector.merchantCertificate
    expect(keyringAt(now, 'test').trust(pem).kind).toBe('untrusted')
    expect(merchantKey?.purpose).toBe('merchant_private')
    expect(cfcaKey.purpose).toBe('vendor_root')
  })
})
