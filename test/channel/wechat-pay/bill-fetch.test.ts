import { describe, expect, test } from 'bun:test'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { unixSeconds } from '#domain/time'
import { publicOf } from '../support.ts'
import { partOf } from './bill-support.ts'
import { NEXT_DAY, TOKEN, fetchBill, file, link, packed, sha1, whole } from './bill-vendor.ts'
import { merchantPem, publicKeyId, vendorPem } from './support.ts'
import { probed, refusal, signed } from './vendor.ts'
import type { Heard, Reply } from './vendor.ts'

function isSigned({ method, target, headers, body }: Heard): boolean {
  const field = (name: string) =>
    new RegExp(`${name}="([^"]*)"`).exec(headers['authorization'] ?? '')?.[1] ?? ''
  const message = `${method}\n${target}\n${field('timestamp')}\n${field('nonce_str')}\n${body}\n`
  const key = createPublicKey(publicOf(merchantPem))
  return verify('sha256', Buffer.from(message), key, Buffer.from(field('signature'), 'base64'))
}

describe('a bill is fetched', () => {
  test('with exactly the documented calls, and as it was sent', async () => {
    const { outcome, vendor, bytes } = await fetchBill(whole)
    expect(outcome).toEqual({
      kind: 'fetched',
      headers: { 'content-type': 'application/x-gzip', 'plain-sha1': sha1 },
    })
    expect(Buffer.from(bytes).equals(packed)).toBe(true)
    expect(vendor.heard.map(({ method, target }) => `${method} ${target}`)).toEqual([
      'GET /v3/bill/tradebill?bill_date=2026-03-14&bill_type=ALL&tar_type=GZIP',
      `GET /v3/billdownload/file?token=${TOKEN}`,
    ])
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['bill', 'bill'])
  })

  test('of funds, from its own address', async () => {
    const { outcome, vendor } = await fetchBill(whole, { kind: 'fund' })
    expect(outcome.kind).toBe('fetched')
    expect(vendor.heard[0]?.target).toBe(
      '/v3/bill/fundflowbill?bill_date=2026-03-14&account_type=BASIC&tar_type=GZIP',
    )
  })

  test('wechatpay checklist 67: both requests are signed, the second over its link as it is', async () => {
    const { vendor } = await fetchBill(whole)
    expect(vendor.heard.map(isSigned)).toEqual([true, true])
    for (const { headers } of vendor.heard) {
      expect(headers['accept']).toBeTruthy()
      expect(headers['user-agent']).toBeTruthy()
      expect(headers['wechatpay-serial']).toBe(publicKeyId)
    }
  })

  test('wechatpay checklist 67, RC-17: the file needs no signature, the link does', async () => {
    const { outcome } = await fetchBill(whole)
    expect(outcome.kind).toBe('fetched')
    const bare: Reply = () =>
      Response.json({ hash_type: 'SHA1', hash_value: sha1, download_url: '' })
    for (const reply of [bare, () => signed(200, '{}', { seconds: NEXT_DAY, pem: vendorPem })]) {
      const unsigned = await fetchBill((host) => [reply, reply, link(host), file])
      expect(unsigned.outcome).toMatchObject({ kind: 'unknown' })
      expect(unsigned.bytes).toHaveLength(0)
    }
  })

  test('a probed link is asked for again (dossier, section 1.9)', async () => {
    const probe: Reply = () => probed(200, '{}')
    expect((await fetchBill((host) => [probe, ...whole(host)])).outcome.kind).toBe('fetched')
  })

  test('wechatpay checklist 68: the hash counts in any letters, over the plain bytes', async () => {
    const upper = (host: string) => [link(host, { hash_value: sha1.toUpperCase() }), file]
    expect((await fetchBill(upper)).outcome.kind).toBe('fetched')
    const ofPacked = createHash('sha1').update(packed).digest('hex')
    const wrong = (host: string) => [link(host, { hash_value: ofPacked }), file]
    const { outcome } = await fetchBill(wrong)
    expect(outcome).toMatchObject({ kind: 'unknown' })
    expect(JSON.stringify(outcome)).toContain(sha1)
  })

  test('the log has neither the token nor a line of the bill', async () => {
    const { vendor } = await fetchBill(whole)
    const log = JSON.stringify(vendor.exchanges)
    expect(log).not.toContain('aB3')
    expect(log).not.toContain('WECHATPAY2')
    expect(log).not.toContain('DEMO2026')
    expect(vendor.exchanges[1]?.responseBody).toBe(`${packed.length} bytes`)
  })
})

describe('the hour', () => {
  test('wechatpay checklist 65: asks after 10:00 of Beijing, and every half hour', () => {
    expect(partOf()).toMatchObject({
      kinds: ['transaction', 'fund'],
      dayEndHour: 24,
      availableAtMinute: 605,
      retrySeconds: 1800,
    })
  })

  test('RC-01, F109: being made is not empty', async () => {
    const { outcome } = await fetchBill(() => [() => refusal(400, 'STATEMENT_CREATING')])
    expect(outcome).toEqual({ kind: 'not_ready', code: 'STATEMENT_CREATING' })
  })

  test.each([
    ['2026-03-15T09:59:59+08:00', 'not_ready'],
    ['2026-03-15T10:00:00+08:00', 'empty'],
    ['2026-05-15T00:00:00+08:00', 'empty'],
  ] as const)('RC-02, F109: none at %p is %p', async (moment, kind) => {
    const { outcome } = await fetchBill(() => [() => refusal(400, 'NO_STATEMENT_EXIST')], {
      at: new Date(moment),
    })
    expect(outcome).toEqual({ kind, code: 'NO_STATEMENT_EXIST' })
  })
})

describe('the date', () => {
  test.each([
    ['2026-03-14', '2026-03-14T23:59:59+08:00'],
    ['2026-03-15', '2026-03-14T23:59:59+08:00'],
    ['2026-03-14', '2026-06-15T00:00:00+08:00'],
    ['2026-02-27', '2026-05-31T12:00:00+08:00'],
    ['2025-12-31', '2026-12-31T12:00:00+08:00'],
  ])('wechatpay checklist 66: %s is refused at %s, without asking', async (date, moment) => {
    const { outcome, vendor } = await fetchBill(whole, { date, at: new Date(moment) })
    expect(outcome).toMatchObject({ kind: 'refused', code: 'BILL_DATE' })
    expect(vendor.heard).toEqual([])
  })

  test.each([
    ['2026-03-14', '2026-03-15T00:00:00+08:00'],
    ['2026-03-14', '2026-06-14T23:59:59+08:00'],
    ['2026-02-28', '2026-05-31T12:00:00+08:00'],
    ['2025-12-31', '2026-03-31T12:00:00+08:00'],
    ['2025-11-30', '2026-02-28T12:00:00+08:00'],
  ])('RC-12: %s is asked for at %s', async (date, moment) => {
    const at = new Date(moment)
    const late = (host: string) => [link(host, {}, unixSeconds(at)), file]
    expect((await fetchBill(late, { date, at })).outcome.kind).toBe('fetched')
  })
})
