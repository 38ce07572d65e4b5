import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ReturnFields, ReturnReading } from '#channel/channel'
import published from '../../fixture/alipay/published.json'
import { keyOf, paymentId } from '../support.ts'
import type { Built } from '../support.ts'
import {
  appId,
  buildChannel,
  channelPaymentId,
  defaultKeys,
  noticeText,
  otherPem,
  sellerId,
  signText,
  without,
} from './support.ts'
import type { Fields } from './support.ts'

/** What the cashier sends the browser back with (dossier, section 2.7). */
const back = (changes: Fields = {}): Fields => ({
  charset: 'utf-8',
  out_trade_no: paymentId,
  method: 'alipay.trade.page.pay.return',
  total_amount: '88.88',
  trade_no: channelPaymentId,
  auth_app_id: appId,
  version: '1.0',
  app_id: appId,
  sign_type: 'RSA2',
  seller_id: sellerId,
  timestamp: '2026-01-31 23:59:59',
  ...changes,
})

const readFields = (
  fields: ReturnFields,
  built: Built = buildChannel(),
): Promise<ReturnReading> | undefined => built.channel.readReturn?.(fields)

const signedFields = (fields: Fields, pem?: string): ReturnFields =>
  Object.entries({ ...fields, sign: signText(noticeText(fields), pem) })

const explanationOf = async (fields: ReturnFields): Promise<string> => {
  const reading = await readFields(fields)
  return reading?.kind === 'unverified' ? reading.explanation : 'verified'
}

describe('alipay checklist 41: a return is verified and says only whose it is', () => {
  test('T-N1, as a browser brought it', async () => {
    const keys = [...defaultKeys.slice(0, 1), keyOf('vendor_public', 'y', published.r1.publicKey)]
    const settings = { app_id: '9021000122682882', seller_id: '2088721003899159' }
    const fields = [...new URLSearchParams(published.n1.query)]
    const built = buildChannel({ keys, settings })
    expect(await readFields(fields, built)).toEqual({
      kind: 'verified',
      paymentNumber: '1703141270',
    })
    // Decoded twice, the blanks of the signature are no signature any more.
    const twice = [...new URLSearchParams(decodeURIComponent(published.n1.query))]
    expect((await readFields(twice, built))?.kind).toBe('unverified')
  })

  test.each(['alipay.trade.page.pay.return', 'alipay.trade.wap.pay.return'])(
    '%s',
    async (method) => {
      expect(await readFields(signedFields(back({ method })))).toEqual({
        kind: 'verified',
        paymentNumber: paymentId,
      })
    },
  )

  test.each([
    ['another app', signedFields(back({ app_id: '2021000000000002' })), 'another app'],
    ['another seller', signedFields(back({ seller_id: '2088000000000002' })), 'another seller'],
    ['a notification', signedFields(back({ method: '' })), 'not a return'],
    ['no number', signedFields(back({ out_trade_no: '' })), 'no out_trade_no'],
    ['another charset', signedFields(back({ charset: 'GBK' })), 'not UTF-8'],
    ['another algorithm', signedFields(back({ sign_type: 'RSA' })), 'wrong_algorithm'],
    ['a stranger', signedFields(back(), otherPem), 'bad_signature'],
    ['no signature', Object.entries(back()), 'field_missing'],
    ['a field twice', [...signedFields(back()), ['app_id', appId]], 'field_duplicate'],
    ['a field more', [...signedFields(back()), ['utm_source', 'x']], 'bad_signature'],
    ['nothing', [], 'field_missing'],
  ] satisfies [string, ReturnFields, string][])('%s is not verified', async (_, fields, start) => {
    expect(await explanationOf(fields)).toStartWith(start)
  })

  test('any changed field is not verified', async () => {
    const fields = signedFields(back())
    for (const [name] of fields) {
      const changed = fields.map(
        ([key, value]) => [key, key === name ? `${value}1` : value] as const,
      )
      expect(await explanationOf(changed)).not.toBe('verified')
      const lost = Object.entries(without(Object.fromEntries(fields), name))
      expect(await explanationOf(lost)).not.toBe('verified')
    }
  })

  test('never throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.string(), fc.string())), async (pairs) => {
        expect((await readFields(pairs))?.kind).toBe('unverified')
        const more = [...pairs, ['sign', 'AAAA'], ['sign_type', 'RSA2']] satisfies ReturnFields
        expect((await readFields(more))?.kind).toBe('unverified')
      }),
      { numRuns: 50 },
    )
  })
})
