import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateBill } from '../../bench/wechat-bill.ts'
import { startWechatPayEmulator } from '../../emulator/wechat-pay/emulator.ts'
import { BILL_DATE as date } from '../bill-day.ts'
import { describeBillDay } from '../bill-day-contract.ts'
import type { BillStage } from '../bill-day.ts'
import { fetchRaw } from '../bill-file.ts'
import { keyOf, publicOf } from '../support.ts'
import { partOf } from './bill-support.ts'
import {
  apiv3Key,
  appid,
  buildChannel,
  mchid,
  merchantPem,
  merchantSerial,
  requestOf,
} from './support.ts'

const NEXT_DAY = new Date('2026-03-15T10:05:00+08:00')

async function startStage() {
  let now = new Date()
  const emulator = await startWechatPayEmulator({
    clock: () => now,
    merchants: [
      {
        mchid,
        appids: [appid],
        merchantCertificateSerial: merchantSerial,
        merchantPublicKeyPem: publicOf(merchantPem),
        apiV3Key: apiv3Key,
      },
    ],
  })
  const { publicKeyId, publicKeyPem } = emulator.vendorKeys
  const built = buildChannel({
    settings: { base_url: emulator.url },
    keys: [
      keyOf('merchant_private', merchantSerial, merchantPem),
      keyOf('vendor_public', publicKeyId, publicKeyPem),
      keyOf('symmetric', 'first', apiv3Key),
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
    requestOf: (changes) => requestOf({ subject: 'tea, "green" `1`\n=1+1', ...changes }),
    pay: (number) => emulator.pay(number),
    setKnobs: (patch) => emulator.setKnobs(patch),
    resetKnobs: () => emulator.resetKnobs(),
    stop: () => emulator.stop(),
  } satisfies BillStage & { readonly emulator: unknown }
}

describeBillDay({
  name: 'wechat-pay',
  start: startStage,
  readyAt: '10:00:00',
  fund: [
    ['payment', 10_000n, '交易 收入'],
    ['fee', 60n, '扣除交易手续费 支出'],
    ['refund', 3000n, '退款 支出'],
    ['fee', 18n, '退还交易手续费 收入'],
    ['payment', 1n, '交易 收入'],
  ],
})

test('F114: 50,000 lines come from the emulator’s disk and are read in small batches', async () => {
  const stage = await startStage()
  const part = partOf(stage.built)
  stage.setNow(NEXT_DAY)
  const directory = await mkdtemp(join(tmpdir(), 'wechat-bill-'))
  try {
    const order = { directory, mchid, appid, date, lines: 50_000 }
    const bill = await generateBill(order)
    expect(bill).toMatchObject({ lines: 50_000, payments: 50_000, refunds: 1000 })
    stage.emulator.putBill({ mchid, date, path: bill.path, sha1: bill.sha1 })
    const { outcome, raw } = await fetchRaw(part, { businessDate: date })
    expect(outcome.kind).toBe('fetched')
    expect(Buffer.from(raw).equals(await Bun.file(bill.path).bytes())).toBe(true)
    const file = { path: bill.path, bytes: raw.length, businessDate: date }
    let lines = 0
    for await (const batch of part.read(file, 'transaction')) {
      expect(batch.length).toBeLessThan(10_000)
      lines += batch.length
    }
    expect(lines).toBe(50_000)
    expect((await generateBill(order)).sha1).toBe(bill.sha1)
    expect(Object.values(bill.planted).map(({ length }) => length)).toEqual(Array(8).fill(50))
  } finally {
    await rm(directory, { recursive: true })
    await stage.stop()
  }
}, 30_000)
