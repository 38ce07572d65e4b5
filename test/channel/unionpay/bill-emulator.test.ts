import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BillLine } from '#channel/bill'
import { assert } from '#domain/assert'
import { startUnionpayEmulator } from '../../emulator/unionpay/emulator.ts'
import type { UnionpayEmulator } from '../../emulator/unionpay/emulator.ts'
import { makeUnionpayKeys } from '../../emulator/unionpay/keys.ts'
import type { KnobsPatch } from '../../emulator/unionpay/knobs.ts'
import { ARCHIVE_TRICKS } from '../../emulator/unionpay/knobs.ts'
import { numberOf, paymentIdOf } from '../bill-day.ts'
import { describeBillDay } from '../bill-day-contract.ts'
import { brokenBy, fetchRaw, readRaw } from '../bill-file.ts'
import { keyOf } from '../support.ts'
import type { Built } from '../support.ts'
import { archiveOf, bytesOf, partOf, payment } from './bill-support.ts'
import { buildChannel, merId, requestOf, sha256 } from './support.ts'

/** The emulator, and a channel that talks to it; both live by one clock. */
async function start() {
  let now = new Date('2026-03-14T00:00:00+08:00')
  const keys = await makeUnionpayKeys(now)
  const { vendor, merchant } = keys
  const emulator = await startUnionpayEmulator({
    clock: () => now,
    vendorKeys: vendor,
    merchants: [{ merId, certificatesPem: [merchant.certificatePem] }],
  })
  const built = buildChannel({
    settings: { base_url: emulator.url, file_url: emulator.url },
    keys: [
      keyOf('merchant_private', merchant.certId, merchant.privatePem),
      keyOf('vendor_root', 'root', vendor.root.certificatePem),
      keyOf('vendor_root', 'intermediate', vendor.intermediate.certificatePem),
    ],
    deps: { fetch: (url, init) => fetch(url, init), localHosts: [new URL(emulator.url).host] },
  })
  const setNow = (moment: Date): void => {
    now = moment
    built.clock.set(moment)
  }
  return { emulator, built, setNow }
}

describeBillDay({
  name: 'unionpay',
  readyAt: '09:00:00',
  noneAt: '18:00:00',
  async start() {
    const { emulator, built, setNow } = await start()
    return {
      built,
      setNow,
      requestOf: (changes) => requestOf({ method: 'qr', ...changes }),
      pay: (number) => emulator.pay(number),
      setKnobs: (patch) => emulator.setKnobs(patch),
      resetKnobs: () => emulator.resetKnobs(),
      channelPaymentIdOf: (number) => emulator.order(number)?.attempt?.queryId,
      stop: () => emulator.stop(),
    }
  },
})

describe('the emulator’s files, where this vendor differs from others', () => {
  const businessDate = '2026-03-14'
  let emulator: UnionpayEmulator
  let built: Built

  beforeAll(async () => {
    const stage = await start()
    ;({ emulator, built } = stage)
    emulator.setKnobs({ dropCallbacks: true, dropForever: true })
    stage.setNow(new Date(`${businessDate}T10:15:30+08:00`))
    for (const index of [1, 2]) {
      const paymentId = paymentIdOf(index)
      const expiresAt = new Date(`${businessDate}T10:30:00+08:00`)
      const request = requestOf({ method: 'qr', expiresAt, paymentId })
      const outcome = built.channel.preparePayment(request)
      assert(outcome.kind === 'prepared', `expected prepared, found ${outcome.kind}`)
      await built.channel.createPayment(outcome.prepared, built.record)
      expect(emulator.pay(paymentId).kind).toBe('moved')
    }
    stage.setNow(new Date('2026-03-15T10:00:00+08:00'))
  })

  afterAll(() => emulator.stop())
  beforeEach(() => void emulator.resetKnobs())

  async function read(knobs: KnobsPatch): Promise<readonly BillLine[]> {
    // Made anew, and in the usual order again.
    emulator.setKnobs({ ...knobs, billReissued: 2 })
    const part = partOf(built)
    await fetchRaw(part, { businessDate }, built.record)
    const { outcome, raw } = await fetchRaw(part, { businessDate }, built.record)
    expect(outcome.kind).toBe('fetched')
    return readRaw(part, raw, { businessDate })
  }

  test('every line names our payment by both numbers, and its fee', async () => {
    const lines = await read({})
    expect(lines.map(({ paymentNumber }) => paymentNumber)).toEqual([
      numberOf('p', 1),
      numberOf('p', 2),
    ])
    const [first] = lines
    expect(first?.channelPaymentId).toBe(emulator.order(numberOf('p', 1))?.attempt?.queryId)
    expect(first).toMatchObject({ amountMinor: 12_800n, fee: '0.77', stateText: '01' })
  })

  test('F113, RC-14: names whose bytes look like ASCII change nothing', async () => {
    expect(await read({ billCharset: 'edge' })).toEqual([...(await read({}))])
  })

  test('F113: half a character is refused with its line and column', async () => {
    const broken = await brokenBy(read({ billCharset: 'broken' }))
    expect([broken.line, broken.column]).toEqual([2, 'subMerAbbr'])
  })

  test.each(ARCHIVE_TRICKS.filter((trick) => trick !== 'plain'))(
    'F116: an archive with the trick %p is refused whole',
    async (billArchive) => {
      expect((await brokenBy(read({ billArchive }))).message).toStartWith('zip')
    },
  )

  test('RC-02: a day without business may have an empty file', async () => {
    emulator.setKnobs({ billEmptyFile: true })
    const other = { businessDate: '2026-03-12' }
    const { outcome, raw } = await fetchRaw(partOf(built), other, built.record)
    expect(outcome.kind).toBe('fetched')
    expect(await readRaw(partOf(built), raw, other)).toEqual([])
  })
})

const LARGE_TIMEOUT_MS = 60_000

test(
  'F114: 50,000 records of an archive are read in small batches',
  async () => {
    const [head = '', tail = ''] = payment().split('T20260314101530001'.padEnd(26))
    // Our own numbers are as good as random, so a file does not pack like a bomb.
    const records = Array.from(
      { length: 50_000 },
      (_, index) => `${head}p${sha256(String(index)).slice(0, 25)}${tail}`,
    )
    const raw = archiveOf([{ name: `INN26031488ZM_${merId}`, bytes: bytesOf(records) }])
    const directory = await mkdtemp(join(tmpdir(), 'unionpay-bill-'))
    try {
      const path = join(directory, 'raw')
      await Bun.write(path, raw)
      const file = { path, bytes: raw.length, businessDate: '2026-03-14' }
      const numbers = new Set<string>()
      for await (const batch of partOf().read(file, 'transaction')) {
        expect(batch.length).toBeLessThan(1000)
        for (const { paymentNumber } of batch) numbers.add(paymentNumber)
      }
      expect(numbers.size).toBe(50_000)
    } finally {
      await rm(directory, { recursive: true })
    }
  },
  LARGE_TIMEOUT_MS,
)
