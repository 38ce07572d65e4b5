import 'reflect-metadata'
import { beforeAll, describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { X509CertificateGenerator } from '@peculiar/x509'
import { keyOf } from '../support.ts'
import { apiv3Key, defaultKeys, notifiedAt, reference, seal, vendorHeaders } from './support.ts'
import { refusal, startVendor } from './vendor.ts'
import type { Reply } from './vendor.ts'

interface Issued {
  readonly serial: string
  readonly pem: string
  readonly privatePem: string
}

let older: Issued
let newer: Issued

beforeAll(async () => {
  older = await issue('5157F09EFDC096DE15EBE81A47057A7232F1B8E1')
  newer = await issue('0157F09EFDC096DE15EBE81A47057A7232F1B8E2')
})

async function issue(serial: string): Promise<Issued> {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial,
      name: 'CN=Tenpay.com sign',
      notBefore: new Date('2026-01-01T00:00:00Z'),
      notAfter: new Date('2031-01-01T00:00:00Z'),
      signingAlgorithm: algorithm,
      keys: {
        privateKey: await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
        publicKey: await crypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
      },
    },
    crypto,
  )
  const privatePem = String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return { serial, pem: certificate.toString('pem'), privatePem }
}

const listOf = (
  items: readonly Issued[],
  changes: { key?: string; serial?: string } = {},
): string =>
  JSON.stringify({
    data: items.map((item) => ({
      serial_no: changes.serial ?? item.serial,
      effective_time: '2026-01-01T08:00:00+08:00',
      expire_time: '2031-01-01T08:00:00+08:00',
      encrypt_certificate: {
        algorithm: 'AEAD_AES_256_GCM',
        nonce: '61f9c719728a',
        associated_data: 'certificate',
        ciphertext: seal(item.pem, {
          key: changes.key ?? apiv3Key,
          nonce: '61f9c719728a',
          data: 'certificate',
        }),
      },
    })),
  })

const answer = (body: string, by: Issued): Response =>
  new Response(body, {
    headers: vendorHeaders(body, { seconds: notifiedAt, serial: by.serial, pem: by.privatePem }),
  })

const answeredByPublicKey = (body: string): Response =>
  new Response(body, { headers: vendorHeaders(body, { seconds: notifiedAt }) })

async function fetchKeys(reply: Reply) {
  await using vendor = startVendor([reply])
  const keys = vendor.channel.fetchKeys?.(vendor.record) ?? Promise.resolve([])
  // Settled here, because the vendor ends with this function.
  const [outcome] = await Promise.allSettled([keys])
  return { outcome, vendor }
}

describe('platform certificates', () => {
  test('wechatpay checklist 28: all certificates of the list are kept, the newest too', async () => {
    const { outcome, vendor } = await fetchKeys(() => answer(listOf([older, newer]), newer))
    expect(outcome).toMatchObject({
      status: 'fulfilled',
      value: [
        { serial: older.serial, pem: older.pem, validFrom: new Date('2026-01-01T00:00:00Z') },
        { serial: newer.serial, pem: newer.pem, validUntil: new Date('2031-01-01T00:00:00Z') },
      ],
    })
    expect(vendor.heard.map((item) => item.target)).toEqual(['/v3/certificates'])
    expect(vendor.exchanges[0]?.kind).toBe('key')
  })

  test('wechatpay checklist 27: 404 RESOURCE_NOT_EXISTS is an empty list', async () => {
    const { outcome } = await fetchKeys(() =>
      refusal(404, 'RESOURCE_NOT_EXISTS', '无可用的平台证书'),
    )
    expect(outcome).toEqual({ status: 'fulfilled', value: [] })
  })

  test.each<readonly [string, Reply]>([
    ['a vendor fault', () => refusal(500, 'SYSTEM_ERROR')],
    ['404 of a path', () => new Response('', { status: 404 })],
    ['a list without a signature', () => new Response(listOf([older]))],
    [
      'a list signed by a stranger',
      () => answer(listOf([older]), { ...newer, serial: older.serial }),
    ],
    [
      'a list sealed with another key',
      () => answer(listOf([older], { key: 'x'.repeat(31) + 'y' }), older),
    ],
    [
      'a certificate under another serial',
      () => answeredByPublicKey(listOf([older], { serial: 'ABC' })),
    ],
    ['no list', () => answer('{}', older)],
  ])('wechatpay checklist 18: %s is trouble, after one call', async (_name, reply) => {
    const { outcome, vendor } = await fetchKeys(reply)
    expect(outcome.status).toBe('rejected')
    expect(vendor.heard).toHaveLength(1)
  })

  test('a list signed by a key that we have already is genuine', async () => {
    const { outcome } = await fetchKeys(() => answeredByPublicKey(listOf([older])))
    expect(outcome.status).toBe('fulfilled')
  })

  test('a certificate verifies like the public key inside it', async () => {
    const keys = [...defaultKeys, keyOf('vendor_public', newer.serial, newer.pem)]
    await using vendor = startVendor([() => answer('{"code_url":"weixin://x"}', newer)], { keys })
    const outcome = await vendor.channel.queryPayment(reference, vendor.record)
    // Verified, and then not an order.
    expect(outcome).toEqual({ kind: 'unknown', cause: 'the order object cannot be read' })
  })
})
