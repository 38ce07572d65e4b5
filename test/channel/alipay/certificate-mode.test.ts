import { beforeAll, describe, expect, test } from 'bun:test'
import type { AccountKey } from '#channel/account'
import { keyOf, paymentId, reasonOf } from '../support.ts'
import {
  buildChannel,
  callbackOf,
  merchantKey,
  noticeOf,
  now,
  reference,
  signedBody,
} from './support.ts'
import { answer, create, done, html, nodeName, paymentOf, startVendor } from './vendor.ts'
import type { Heard, Reply, TinyVendor } from './vendor.ts'
import { issue } from './issued.ts'
import type { Issued } from './issued.ts'
import certificates from '../../fixture/alipay/certificate.json'

let root: Issued
let between: Issued
let app: Issued
let old: Issued
let fresh: Issued
let stranger: Issued
let alienRoot: Issued
let alien: Issued

const settings = { key_mode: 'certificate' }

beforeAll(async () => {
  root = await issue('Test Root R1', { isCa: true })
  between = await issue('Test Class 2 R1', { issuer: root, isCa: true })
  app = await issue('2088000000000001-2021000000000001', { issuer: between })
  old = await issue('Alipay old', { issuer: between, until: '2026-03-01T00:00:00Z' })
  fresh = await issue('Alipay new', { issuer: between })
  stranger = await issue('Alipay stranger')
  alienRoot = await issue('Alien Root', { isCa: true })
  alien = await issue('Alipay alien', { issuer: alienRoot })
})

/** The bundle as the vendor hands it out: certificates that nothing here can use stand in it, too. */
const bundle = (): string => certificates.rootBundle.split('\n\n')[0] + '\n' + root.pem

const keys = (): readonly AccountKey[] => [
  keyOf('merchant_private', 'other', merchantKey),
  keyOf('merchant_private', 'app', app.privatePem),
  keyOf('merchant_certificate', app.serial, app.pem),
  keyOf('vendor_public', old.serial, old.pem + between.pem),
  keyOf('vendor_root', 'root', bundle()),
]

const payment = JSON.stringify({ code: '10000', out_trade_no: paymentId, ...paymentOf() })

const signedBy =
  (issued: Issued, digest = issued.digest): Reply =>
  ({ api }) =>
    answer(nodeName(api), payment, { pem: issued.privatePem, digest })

const isDownload = ({ api }: Heard): boolean => api === 'alipay.open.app.alipaycert.download'

const downloads = (vendor: TinyVendor): number => vendor.heard.filter(isDownload).length

/** Answers queries with one reply, and hands out a certificate. */
const vendorWith = (
  reply: Reply,
  pem: string,
  more: readonly AccountKey[] = keys(),
): TinyVendor => {
  const content = Buffer.from(pem).toString('base64')
  const node = JSON.stringify({ code: '10000', msg: 'Success', alipay_cert_content: content })
  return startVendor(
    [(heard) => (isDownload(heard) ? html(`{"${nodeName(heard.api)}":${node}}`) : reply(heard))],
    { settings, keys: more },
  )
}

const query = ({ channel, record }: TinyVendor) => channel.queryPayment(reference, record)

describe('requests', () => {
  test('alipay checklist 26: both digests are sent and signed with every call', async () => {
    await using vendor = vendorWith(signedBy(old), fresh.pem)
    expect((await query(vendor)).kind).toBe('found')
    expect(vendor.heard[0]?.query).toMatchObject({
      app_cert_sn: app.digest,
      alipay_root_cert_sn: root.digest,
    })
    const form = await create(vendor)
    expect(JSON.stringify(form)).toContain(`app_cert_sn=${app.digest}&`)
  })
})

describe('alipay checklist 27: a certificate that is new', () => {
  test('is downloaded once, checked and kept', async () => {
    await using vendor = vendorWith(signedBy(fresh), fresh.pem + between.pem)
    const outcomes = await Promise.all([query(vendor), query(vendor), query(vendor)])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['found', 'found', 'found'])
    expect((await query(vendor)).kind).toBe('found')
    expect(downloads(vendor)).toBe(1)
    const asked = vendor.heard.find(isDownload)
    expect(asked?.body).toEqual({ biz_content: `{"alipay_cert_sn":"${fresh.digest}"}` })
    expect(asked?.query).toMatchObject({ app_cert_sn: app.digest })
    // The next refresh hands it on to be stored, without asking again.
    const fetched = await vendor.channel.fetchKeys?.(vendor.record)
    expect(fetched?.map(({ serial }) => serial)).toEqual([fresh.serial])
    expect(fetched?.[0]?.validUntil).toEqual(new Date('2028-01-01T00:00:00Z'))
    expect(downloads(vendor)).toBe(1)
    // And stored, it verifies in the next instance.
    const [key] = fetched ?? []
    const stored = [...keys(), keyOf('vendor_public', fresh.serial, key?.pem ?? '')]
    await using next = vendorWith(signedBy(fresh), '', stored)
    expect((await query(next)).kind).toBe('found')
    expect(downloads(next)).toBe(0)
  })

  test.each([
    ['chains to nothing that we know', () => stranger.pem],
    ['brings its own root', () => alien.pem + alienRoot.pem],
    ['is another than was asked for', () => old.pem + between.pem],
    ['comes without what stands between', () => fresh.pem],
    ['is none', () => 'no certificate'],
  ])('is refused when it %s', async (_, pem) => {
    const signer = [stranger, alien].find((one) => pem().startsWith(one.pem)) ?? fresh
    await using vendor = vendorWith(signedBy(signer), pem())
    expect((await query(vendor)).kind).toBe('unknown')
    expect((await query(vendor)).kind).toBe('unknown')
    expect(downloads(vendor)).toBe(1)
    expect(await vendor.channel.fetchKeys?.(vendor.record)).toEqual([])
  })

  test('is refused when a certificate of its chain has ended or is no authority', async () => {
    const ended = await issue('Ended', { issuer: root, isCa: true, until: '2026-01-01T00:00:00Z' })
    const underEnded = await issue('Under ended', { issuer: ended })
    const plain = await issue('Plain', { issuer: root })
    const underPlain = await issue('Under plain', { issuer: plain })
    const past = await issue('Past', { issuer: between, until: '2026-01-01T00:00:00Z' })
    const short = await issue('Short', { issuer: between, bits: 1024 })
    for (const [signer, chain] of [
      [underEnded, ended],
      [underPlain, plain],
      [past, between],
      [short, between],
    ] as const) {
      await using vendor = vendorWith(signedBy(signer), signer.pem + chain.pem)
      expect((await query(vendor)).kind).toBe('unknown')
    }
  })

  test('is refused when its issuer has only the name of one that we trust', async () => {
    const namesake = await issue('Test Class 2 R1', { issuer: root, isCa: true })
    const double = { ...namesake, signingKey: stranger.signingKey }
    const forged = await issue('Alipay forged', { issuer: double })
    await using vendor = vendorWith(signedBy(forged), forged.pem + between.pem + namesake.pem)
    expect((await query(vendor)).kind).toBe('unknown')
    expect(downloads(vendor)).toBe(1)
  })

  test('does not verify what another key signed under its name', async () => {
    await using vendor = vendorWith(signedBy(stranger, fresh.digest), fresh.pem + between.pem)
    expect((await query(vendor)).kind).toBe('unknown')
  })

  test('is asked for again when the vendor could not be asked', async () => {
    let broken = true
    const node = JSON.stringify({
      code: '10000',
      alipay_cert_content: Buffer.from(fresh.pem + between.pem).toString('base64'),
    })
    await using vendor = startVendor(
      [
        (heard) => {
          if (!isDownload(heard)) return signedBy(fresh)(heard)
          return broken ? html('', 502) : html(`{"${nodeName(heard.api)}":${node}}`)
        },
      ],
      { settings, keys: keys() },
    )
    expect((await query(vendor)).kind).toBe('unknown')
    broken = false
    expect((await query(vendor)).kind).toBe('found')
  })

  test('with a name that is no digest is not asked for', async () => {
    await using vendor = vendorWith(signedBy(fresh, '../../x'), fresh.pem)
    expect((await query(vendor)).kind).toBe('unknown')
    expect(downloads(vendor)).toBe(0)
  })
})

describe('callbacks', () => {
  const readWith = async (vendor: TinyVendor, body: string) =>
    reasonOf(await vendor.channel.readCallback(callbackOf(vendor, body)))

  const notice = (issued: Issued, digest = issued.digest): string =>
    signedBody(noticeOf(digest === '' ? {} : { alipay_cert_sn: digest }), issued.privatePem)

  test('are verified with the certificate that they name, or with any of ours', async () => {
    await using vendor = vendorWith(done(), '')
    expect(await readWith(vendor, notice(old))).toBe('verified')
    expect(await readWith(vendor, notice(old, ''))).toBe('verified')
    expect(await readWith(vendor, notice(stranger, old.digest))).toBe('bad_signature')
    expect(await readWith(vendor, notice(app, old.digest))).toBe('bad_signature')
  })

  test('that name a new certificate are refused until a refresh has brought it', async () => {
    await using vendor = vendorWith(done(), fresh.pem + between.pem)
    expect(await readWith(vendor, notice(fresh))).toBe('unknown_serial')
    // The path of a callback makes no call.
    expect(vendor.heard).toHaveLength(0)
    const fetched = await vendor.channel.fetchKeys?.(vendor.record)
    expect(fetched?.map(({ serial }) => serial)).toEqual([fresh.serial])
    expect(await readWith(vendor, notice(fresh))).toBe('verified')
  })

  test('that name many certificates make us ask for few', async () => {
    await using vendor = vendorWith(done(), '')
    for (let at = 0; at < 100; at += 1) {
      const digest = at.toString(16).padStart(32, '0')
      expect(await readWith(vendor, notice(stranger, digest))).toBe('unknown_serial')
    }
    await vendor.channel.fetchKeys?.(vendor.record)
    expect(downloads(vendor)).toBeLessThanOrEqual(4)
  })

  test('that name what the vendor does not know keep nobody from the certificates that it has', async () => {
    const digest = '0'.repeat(32)
    const unknown = '{"code":"40004","msg":"Business Failed","sub_code":"CERT_NOT_EXIST"}'
    const content = Buffer.from(fresh.pem + between.pem).toString('base64')
    await using vendor = startVendor(
      [
        ({ api, body }) =>
          body['biz_content']?.includes(digest) === true
            ? html(`{"${nodeName(api)}":${unknown}}`)
            : html(`{"${nodeName(api)}":{"code":"10000","alipay_cert_content":"${content}"}}`),
      ],
      { settings, keys: keys() },
    )
    await readWith(vendor, notice(stranger, digest))
    await readWith(vendor, notice(fresh))
    const refresh = async () =>
      (await vendor.channel.fetchKeys?.(vendor.record))?.map(({ serial }) => serial)
    expect(await refresh()).toEqual([fresh.serial])
    expect(await readWith(vendor, notice(fresh))).toBe('verified')
    // Anybody can name one: it is asked for once, and again only when it is named again.
    expect(await refresh()).toEqual([fresh.serial])
    expect(downloads(vendor)).toBe(2)
  })

  test('a refresh without a new name asks for nothing', async () => {
    await using vendor = vendorWith(done(), '')
    expect(await vendor.channel.fetchKeys?.(vendor.record)).toEqual([])
    expect(vendor.heard).toHaveLength(0)
  })

  test('a refresh that the vendor does not answer says so', async () => {
    await using vendor = startVendor([() => html('', 500)], { settings, keys: keys() })
    await readWith(vendor, notice(fresh))
    await expect(Promise.resolve(vendor.channel.fetchKeys?.(vendor.record))).rejects.toThrow(
      'certificate: status 500',
    )
  })
})

describe('alipay checklist 28: what has ended is used no more', () => {
  test('a platform certificate after its last day', async () => {
    const later = { at: new Date('2026-03-01T00:00:00Z'), settings, keys: keys() }
    await using vendor = startVendor([signedBy(old)], later)
    expect((await query(vendor)).kind).toBe('unknown')
  })

  test('an app certificate after its last day', async () => {
    const ended = [
      ...keys().filter(({ purpose }) => purpose !== 'merchant_certificate'),
      keyOf('merchant_certificate', app.serial, app.pem, { validUntil: now }),
    ]
    await using vendor = startVendor([signedBy(old)], { settings, keys: ended })
    await expect(query(vendor)).rejects.toThrow('no valid merchant_certificate')
  })
})

test('in public-key mode there are no keys to fetch', () => {
  expect(buildChannel().channel.fetchKeys).toBeUndefined()
})
