import { describe, expect, test } from 'bun:test'
import { partOf } from './bill-support.ts'
import { fetchBill, link, whole } from './bill-vendor.ts'
import { html, refusal, unsigned } from './vendor.ts'
import type { Reply } from './vendor.ts'

describe('alipay checklist 68: "bill does not exist"', () => {
  const NONE = ['isp.bill_not_exist', 'BILL_NOT_EXIST', 'NO_BILL_DATA', 'aop.ACQ.NO_BILL_DATA']

  test.each(
    NONE.flatMap((code) => [
      [code, '2026-01-31T09:59:59+08:00', 'not_ready'] as const,
      [code, '2026-01-31T10:00:00+08:00', 'empty'] as const,
      [code, '2026-02-15T00:00:00+08:00', 'empty'] as const,
    ]),
  )('RC-01, RC-02, F109, alipay checklist 68: %s at %s is %s', async (code, moment, kind) => {
    const { outcome } = await fetchBill(() => [refusal('40004', code)], { at: new Date(moment) })
    expect(outcome.kind).toBe(kind)
  })

  test('alipay checklist 68: a file that is said to be empty is no business either', async () => {
    const empty = (host: string) => [link(host, { bill_file_code: 'EMPTY_DATA_WITH_BILL_FILE' })]
    expect((await fetchBill(empty)).outcome).toEqual({
      kind: 'empty',
      code: 'EMPTY_DATA_WITH_BILL_FILE',
    })
    const early = new Date('2026-01-31T09:30:00+08:00')
    expect((await fetchBill(empty, { at: early })).outcome.kind).toBe('not_ready')
  })

  test('alipay checklist 68: is asked for from 9:30 of Beijing, and every hour', () => {
    expect(partOf()).toMatchObject({
      kinds: ['transaction', 'fund'],
      dayEndHour: 24,
      availableAtMinute: 570,
      retrySeconds: 3600,
    })
  })
})

describe('a refusal', () => {
  test.each([
    ['40004', 'BILL_DATE_BEFORE_REGISTRATION'],
    ['40004', 'isp.type_not_supported'],
    ['40004', 'INVAILID_ARGUMENTS'],
    ['40002', 'isv.invalid-parameter'],
    ['40006', 'isv.insufficient-isv-permissions'],
    ['20001', 'aop.invalid-app-auth-token'],
  ])('%s %s is for a person', async (code, subCode) => {
    const { outcome } = await fetchBill(() => [refusal(code, subCode)])
    expect(outcome).toEqual({ kind: 'refused', code: subCode, message: '失败' })
  })

  test.each<readonly [string, Reply]>([
    ['a limit of the system', refusal('40004', 'SYSTEM_RATE_LIMIT')],
    ['a limit of the user', refusal('40004', 'isp.USER_RATE_LIMIT')],
    ['a limit of the app', refusal('40005', 'isv.app-call-limited')],
    ['trouble', refusal('20000', 'isp.unknow-error')],
    ['trouble under another code', refusal('40004', 'isp.unknow-error')],
    ['a code that nobody knows', refusal('40004', 'NEW_CODE')],
    ['a refusal that nobody signed', unsigned('40006', 'isv.insufficient-isv-permissions')],
    ['"does not exist" that nobody signed', unsigned('40004', 'isp.bill_not_exist')],
    ['a page', () => html('<html>', 502)],
    ['no answer in time', () => new Promise<Response>(() => undefined)],
  ])('RC-01: %s is unknown, never empty and never refused', async (_name, reply) => {
    const { outcome } = await fetchBill(() => [reply], { deps: { timeoutMs: 50 } })
    expect(outcome.kind).toBe('unknown')
  })
})

describe('alipay checklist 69: the date', () => {
  test.each([
    ['2026-01-31', '2026-01-31T23:59:59+08:00'],
    ['2026-02-01', '2026-01-31T23:59:59+08:00'],
    ['2026-01', '2026-01-31T23:59:59+08:00'],
    ['2015-12-31', '2026-01-31T12:00:00+08:00'],
    ['2015-12', '2026-01-31T12:00:00+08:00'],
    ['2026-1-30', '2026-01-31T12:00:00+08:00'],
    ['20260130', '2026-01-31T12:00:00+08:00'],
    ['2025', '2026-01-31T12:00:00+08:00'],
    ['', '2026-01-31T12:00:00+08:00'],
  ])('alipay checklist 69: %p is refused at %s, without asking', async (date, moment) => {
    const { outcome, vendor } = await fetchBill(whole, { date, at: new Date(moment) })
    expect(outcome).toMatchObject({ kind: 'refused', code: 'BILL_DATE' })
    expect(vendor.heard).toEqual([])
  })

  test.each([
    ['2026-01-30', '2026-01-31T00:00:00+08:00'],
    ['2016-01-01', '2026-01-31T12:00:00+08:00'],
    ['2026-01', '2026-02-01T00:00:00+08:00'],
    ['2016-01', '2026-01-31T12:00:00+08:00'],
  ])('RC-12, alipay checklist 69: %s is asked for at %s', async (date, moment) => {
    const { outcome, vendor } = await fetchBill(whole, { date, at: new Date(moment) })
    expect(outcome.kind).toBe('fetched')
    expect(vendor.heard[0]?.body['biz_content']).toContain(`"bill_date":"${date}"`)
  })

  test('of a month: none is never the last word, because its day is not known', async () => {
    const at = new Date('2026-02-02T12:00:00+08:00')
    const none = () => [refusal('40004', 'isp.bill_not_exist')]
    expect((await fetchBill(none, { date: '2026-01', at })).outcome.kind).toBe('not_ready')
  })
})
