import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { startAlipayEmulator } from '../../emulator/alipay/emulator.ts'
import { ARCHIVE_TRICKS } from '../../emulator/alipay/bill-archive.ts'
import { BILL_DATE } from '../bill-day.ts'
import { describeBillDay } from '../bill-day-contract.ts'
import type { BillStage } from '../bill-day.ts'
import { brokenBy, fetchRaw, readRaw } from '../bill-file.ts'
import { keyOf, publicOf } from '../support.ts'
import { partOf } from './bill-support.ts'
import { appId, buildChannel, merchantKey, merchantPem, requestOf, sellerId } from './support.ts'

async function startStage() {
  let now = new Date()
  const emulator = await startAlipayEmulator({
    clock: () => now,
    apps: [{ appId, sellerId, appPublicKeyPem: publicOf(merchantPem) }],
  })
  const built = buildChannel({
    settings: { gateway_url: emulator.gatewayUrl },
    keys: [
      keyOf('merchant_private', 'app', merchantKey),
      keyOf('vendor_public', 'alipay', emulator.vendorKeys().publicKeyPem),
    ],
    deps: {
      fetch: (url, init) => fetch(url, init),
      localHosts: [new URL(emulator.url).host],
    },
  })
  return {
    emulator,
    built,
    setNow(moment) {
      now = moment
      built.clock.set(moment)
    },
    requestOf: (changes) => requestOf({ method: 'qr', subject: '茶, "green" `1`', ...changes }),
    pay: (number) => emulator.pay(number),
    setKnobs: (patch) => emulator.setKnobs(patch),
    resetKnobs: () => emulator.resetKnobs(),
    stop: () => emulator.stop(),
  } satisfies BillStage & { readonly emulator: unknown }
}

describeBillDay({
  name: 'alipay',
  start: startStage,
  readyAt: '09:00:00',
  fund: [
    ['payment', 10_000n, '在线支付 收入'],
    ['refund', 3000n, '交易退款 支出'],
    ['payment', 1n, '在线支付 收入'],
  ],
})

describe('an archive of the emulator', () => {
  let stage: Awaited<ReturnType<typeof startStage>>

  beforeAll(async () => {
    stage = await startStage()
    stage.setKnobs({ dropCallbacks: true, dropForever: true })
    stage.setNow(new Date(`${BILL_DATE}T12:00:00+08:00`))
    const wish = requestOf({ method: 'qr', expiresAt: new Date(`${BILL_DATE}T12:15:00+08:00`) })
    const outcome = stage.built.channel.preparePayment(wish)
    if (outcome.kind !== 'prepared') throw new Error('the test request is good')
    await stage.built.channel.createPayment(outcome.prepared, stage.built.record)
    expect(stage.pay(wish.paymentId).kind).toBe('paid')
    stage.setNow(new Date('2026-03-15T12:00:00+08:00'))
  })

  afterAll(() => stage.stop())

  beforeEach(() => {
    stage.resetKnobs()
    // What the panel says of archives is for those that are made anew.
    stage.setKnobs({ billReissued: 1 })
  })

  const how = { businessDate: BILL_DATE } as const

  async function readNow() {
    const part = partOf(stage.built)
    const { outcome, raw } = await fetchRaw(part, how, stage.built.record)
    expect(outcome.kind).toBe('fetched')
    return readRaw(part, raw, how)
  }

  test.each(ARCHIVE_TRICKS)('F116: %s is refused', async (billTrick) => {
    stage.emulator.setKnobs({ billTrick })
    expect((await brokenBy(readNow())).message).toMatch(/^zip: /)
  })

  test('RC-08: has both members under GBK names without the flag of UTF-8', async () => {
    expect(await readNow()).toHaveLength(1)
    const members = stage.emulator.writeBill('trade', { sellerId, date: BILL_DATE })
    expect(members.map(({ name }) => name)).toEqual([
      `${sellerId}0156_20260314_业务明细.csv`,
      `${sellerId}0156_20260314_业务明细(汇总).csv`,
    ])
  })

  test('F113: characters whose second byte looks like ASCII cut nothing', async () => {
    stage.emulator.setKnobs({ billEdgeBytes: true })
    expect(await readNow()).toMatchObject([{ kind: 'payment', amountMinor: 8888n }])
  })

  test('the log has neither the link nor a line of the bill', async () => {
    stage.built.exchanges.length = 0
    await readNow()
    const log = JSON.stringify(stage.built.exchanges)
    expect(stage.built.exchanges).toHaveLength(2)
    expect(log).not.toContain('token=')
    expect(log).not.toContain('fileId')
    expect(log).not.toContain('out_trade_no')
    expect(stage.built.exchanges[1]).toMatchObject({
      kind: 'bill',
      url: `${stage.emulator.url}/downloadBillFile.resource`,
    })
  })
})
