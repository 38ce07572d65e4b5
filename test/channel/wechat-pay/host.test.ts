import { describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import { hangingUp } from '../hanging-up.ts'
import { partOf, paymentId } from '../support.ts'
import { refundRequest } from './refund-support.ts'
import { reference, requestOf } from './support.ts'
import { refusal, signed, startVendor } from './vendor.ts'
import type { TinyVendor } from './vendor.ts'

const PREPAY = '{"prepay_id":"wx201410272009395522657a690389285100"}'
const CODE = '{"code_url":"weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}'

function prepare(vendor: TinyVendor, changes: Parameters<typeof requestOf>[0] = {}) {
  const outcome = vendor.channel.preparePayment(requestOf(changes))
  assert(outcome.kind === 'prepared', `prepared, found ${JSON.stringify(outcome)}`)
  return outcome.prepared
}

describe('hosts', () => {
  const down = { base_url: 'http://127.0.0.1:1' }

  test('wechatpay checklist 11: a failed connection goes to the backup host, once', async () => {
    await using vendor = startVendor([() => signed(200, CODE)])
    await using second = startVendor([], {
      settings: { ...down, backup_url: `http://${vendor.host}` },
      deps: { fetch, localHosts: ['127.0.0.1:1', vendor.host] },
    })
    const outcome = await second.channel.createPayment(prepare(second), second.record)
    expect(outcome.kind).toBe('created')
    expect(second.exchanges.map((item) => new URL(item.url).host)).toEqual([
      '127.0.0.1:1',
      vendor.host,
    ])
  })

  test('wechatpay checklist 11: a status never goes to the backup host', async () => {
    await using backup = startVendor([() => signed(200, CODE)])
    await using vendor = startVendor([() => refusal(500, 'SYSTEM_ERROR')], {
      settings: { backup_url: `http://${backup.host}` },
    })
    expect((await vendor.channel.createPayment(prepare(vendor), vendor.record)).kind).toBe(
      'unknown',
    )
    expect(backup.heard).toHaveLength(0)
  })

  test.each([
    ['before its answer', ''],
    ['in the middle of its answer', 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"co'],
  ])(
    'after a host that hung up %s the backup is asked the same again, but for a refund',
    async (_when, start) => {
      await using first = hangingUp(start)
      await using backup = startVendor([() => signed(200, CODE)])
      await using vendor = startVendor([], {
        settings: { base_url: `http://${first.host}`, backup_url: `http://${backup.host}` },
        deps: { localHosts: [first.host, backup.host] },
      })
      // The refund that the first host may have made is asked about before its number is used again.
      const refund = await partOf(vendor).submit(refundRequest, vendor.record)
      expect(refund).toEqual({ kind: 'unknown', cause: 'cut' })
      expect(backup.heard).toHaveLength(0)
      const outcome = await vendor.channel.createPayment(prepare(vendor), vendor.record)
      expect(outcome.kind).toBe('created')
      expect(backup.heard).toHaveLength(1)
    },
  )

  test('wechatpay checklist 11: a refund goes to the backup host only while the first is not reached', async () => {
    await using backup = startVendor([() => refusal(403, 'NOT_ENOUGH')])
    await using vendor = startVendor([], {
      settings: { ...down, backup_url: `http://${backup.host}` },
      deps: { localHosts: ['127.0.0.1:1', backup.host] },
    })
    const outcome = await partOf(vendor).submit(refundRequest, vendor.record)
    expect(outcome.kind).toBe('not_executed')
    expect(backup.heard).toHaveLength(1)
  })

  test('a time-out never goes to the backup host: the first may have acted', async () => {
    const urls: string[] = []
    await using vendor = startVendor([], {
      settings: { base_url: 'https://api.mch.weixin.qq.com' },
      deps: {
        fetch(url, init) {
          urls.push(url)
          const { promise, reject } = Promise.withResolvers<Response>()
          init.signal?.addEventListener('abort', () => reject(new Error('aborted')))
          return promise
        },
        timeoutMs: 5,
      },
    })
    const outcome = await vendor.channel.createPayment(prepare(vendor), vendor.record)
    expect(outcome).toEqual({ kind: 'unknown', cause: 'timeout' })
    expect(urls).toEqual(['https://api.mch.weixin.qq.com/v3/pay/transactions/native'])
  })

  test('the vendor backup stands behind the vendor host only', async () => {
    const urls: string[] = []
    const deps = {
      fetch(url: string) {
        urls.push(new URL(url).host)
        return Promise.reject(new Error('down'))
      },
    }
    await using real = startVendor([], {
      settings: { base_url: 'https://api.mch.weixin.qq.com' },
      deps,
    })
    await real.channel.queryPayment(reference, real.record)
    expect(urls).toEqual(['api.mch.weixin.qq.com', 'api2.mch.weixin.qq.com'])
    await using local = startVendor([], { deps })
    await local.channel.queryPayment(reference, local.record)
    expect(urls).toHaveLength(3)
  })
})

describe('what is recorded', () => {
  test('wechatpay checklist 74: neither Authorization, keys nor the payer reach the log', async () => {
    await using vendor = startVendor([() => signed(200, PREPAY)])
    const prepared = prepare(vendor, { method: 'jsapi' })
    await vendor.channel.createPayment(prepared, vendor.record)
    const text = JSON.stringify(vendor.exchanges)
    expect(vendor.exchanges[0]).toMatchObject({ kind: 'create', method: 'POST', status: 200 })
    expect(text).toContain(paymentId)
    for (const secret of [
      'WECHATPAY2',
      'signature=',
      'oUpF8uMuAJO',
      '0123456789abcdef0123456789abcdef',
    ]) {
      expect(text).not.toContain(secret)
    }
  })

  test('wechatpay checklist 13: what the server signed is recorded with a 401, without the payer', async () => {
    const sent = String.raw`POST\n/v3/pay/transactions/jsapi\n1\nn\n{"payer":{"openid":"oUpF8uMuAJO"}}\n`
    const detail = {
      sign_information: { method: 'POST', sign_message_length: 99, truncated_sign_message: sent },
    }
    await using vendor = startVendor([
      () => Response.json({ code: 'SIGN_ERROR', message: '签名错误', detail }, { status: 401 }),
    ])
    const outcome = await vendor.channel.createPayment(prepare(vendor), vendor.record)
    expect(outcome).toMatchObject({ kind: 'refused', code: 'SIGN_ERROR' })
    expect(vendor.exchanges[0]?.responseBody).toContain('sign_message_length')
    expect(vendor.exchanges[0]?.responseBody).not.toContain('oUpF8uMuAJO')
  })
})
