import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { BillKind, BillLine } from '#channel/bill'
import { BillBroken } from '#channel/bill'
import type { PaymentRequest } from '#channel/channel'
import { assert } from '#domain/assert'
import { addDays, boundsOf } from '#domain/business-day'
import { parsePaymentId, parseRefundId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import { cny } from '#domain/money'
import { addMs, formatChinaTime } from '#domain/time'
import type { BillKnobsPatch } from '../emulator/core/bill-knobs.ts'
import { fetchRaw, readRaw } from './bill-file.ts'
import type { Fetched } from './bill-file.ts'
import { partOf } from './support.ts'
import type { Built } from './support.ts'

/** An emulator, and a channel that talks to it. */
export interface BillStage {
  readonly built: Built
  /** Both sides live by one clock. */
  setNow(moment: Date): void
  /** What the vendor's tests order, but for these. */
  requestOf(changes: Partial<PaymentRequest>): PaymentRequest
  pay(number: string): { readonly kind: string }
  setKnobs(
    patch: BillKnobsPatch & { readonly dropCallbacks?: boolean; readonly dropForever?: boolean },
  ): unknown
  resetKnobs(): unknown
  /** The vendor's number of a payment, where a refund must name it. */
  channelPaymentIdOf?(number: string): string | undefined
  stop(): Promise<void>
}

export interface ContractBillDay {
  readonly name: string
  start(): Promise<BillStage>
  /** Before this time of the next day there is no bill, `HH:MM:SS`. */
  readonly readyAt: string
  /** From this time of the next day "none" is an answer; soon after the other unless given. */
  readonly noneAt?: string
  /** Absent where no link leads to the file. */
  readonly hasLinks?: true
  /** What the account moved by, as the fund bill tells it; absent without one. */
  readonly fund?: readonly (readonly [kind: string, amountMinor: bigint, stateText: string])[]
}

export const BILL_DATE = '2026-03-14'
const NEXT_DATE = addDays(BILL_DATE, 1)
const NOON = '12:00:00'
const HOUR_MS = 3_600_000

const nextDayAt = (time: string): Date => new Date(`${NEXT_DATE}T${time}+08:00`)

export const numberOf = (letter: string, index: number): string =>
  letter + String(index).padStart(25, '0')

export function paymentIdOf(index: number): PaymentId {
  const id = parsePaymentId(numberOf('p', index))
  assert(id !== undefined, 'the test number is a payment id')
  return id
}

function refundIdOf(index: number): RefundId {
  const id = parseRefundId(numberOf('r', index))
  assert(id !== undefined, 'the test number is a refund id')
  return id
}

type Shown = readonly [kind: string, number: string, amountMinor: bigint]

const shown = ({ kind, paymentNumber, refundNumber, amountMinor }: BillLine): Shown => [
  kind,
  kind === 'refund' ? refundNumber : paymentNumber,
  amountMinor,
]

/** In no order: an issue may have another. */
const inOrder = (rows: readonly Shown[]): readonly Shown[] =>
  rows.toSorted((a, b) => (a.join() < b.join() ? -1 : 1))

const THE_DAY: readonly Shown[] = [
  ['payment', numberOf('p', 1), 10_000n],
  ['payment', numberOf('p', 2), 1n],
  ['refund', numberOf('r', 1), 3000n],
]

/** A shop's two days at a vendor, and the bill of the first. */
class Day {
  readonly stage: BillStage

  constructor(stage: BillStage) {
    this.stage = stage
  }

  async pay(index: number, fen: bigint, now: Date): Promise<void> {
    const { built, requestOf, pay, setNow } = this.stage
    setNow(now)
    const wish = { paymentId: paymentIdOf(index), amount: cny(fen) }
    const outcome = built.channel.preparePayment(
      requestOf({ ...wish, expiresAt: addMs(now, 900_000) }),
    )
    assert(outcome.kind === 'prepared', `expected prepared, found ${outcome.kind}`)
    const created = await built.channel.createPayment(outcome.prepared, built.record)
    expect(created.kind).toBe('created')
    expect(pay(paymentIdOf(index)).kind).not.toBe('refused')
  }

  async refund(index: number, fen: bigint, createdAt: Date): Promise<void> {
    const { built, setNow, channelPaymentIdOf } = this.stage
    setNow(createdAt)
    const paymentId = paymentIdOf(index)
    const channelPaymentId = channelPaymentIdOf?.(paymentId)
    const vendorTime = partOf(built).newVendorTime?.()
    const outcome = await partOf(built).submit(
      {
        refundId: refundIdOf(index),
        payment: {
          paymentId,
          method: 'qr',
          createdAt,
          ...(channelPaymentId === undefined ? {} : { channelPaymentId }),
        },
        ...(vendorTime === undefined ? {} : { vendorTime }),
        paid: cny(10_000n),
        amount: cny(fen),
        reason: 'demo',
        callbackUrl: 'https://pay.example.com/callback/a',
      },
      built.record,
    )
    expect(outcome.kind).toBe('answered')
  }

  /** Of the vendor's own day. */
  bounds(): { readonly from: Date; readonly to: Date } {
    return boundsOf(BILL_DATE, this.stage.built.channel.bill?.dayEndHour ?? 24)
  }

  fetch(kind: BillKind = 'transaction', businessDate = BILL_DATE): Promise<Fetched> {
    const { channel, record } = this.stage.built
    assert(channel.bill !== undefined, 'the channel has bills')
    return fetchRaw(channel.bill, { kind, businessDate }, record)
  }

  read(raw: Uint8Array, kind: BillKind = 'transaction'): Promise<readonly BillLine[]> {
    const { bill } = this.stage.built.channel
    assert(bill !== undefined, 'the channel has bills')
    return readRaw(bill, raw, { kind, businessDate: BILL_DATE })
  }

  async lines(kind: BillKind = 'transaction'): Promise<readonly BillLine[]> {
    const { outcome, raw } = await this.fetch(kind)
    expect(outcome.kind).toBe('fetched')
    return this.read(raw, kind)
  }

  async rows(): Promise<readonly Shown[]> {
    return inOrder((await this.lines()).map(shown))
  }
}

async function open({ start }: ContractBillDay): Promise<Day> {
  const day = new Day(await start())
  // Nobody listens to callbacks here.
  day.stage.setKnobs({ dropCallbacks: true, dropForever: true })
  const { from, to } = day.bounds()
  await day.pay(4, 10_000n, addMs(from, -1000))
  await day.pay(1, 10_000n, from)
  await day.refund(1, 3000n, addMs(from, 12 * HOUR_MS))
  await day.pay(2, 1n, addMs(to, -1000))
  await day.pay(3, 500n, to)
  await day.refund(4, 1000n, addMs(to, 1000))
  return day
}

/** The other half of `describeBills`: the vendor's emulator, and a day that really happened there. */
export function describeBillDay(vendor: ContractBillDay): void {
  let day: Day

  beforeAll(async () => {
    day = await open(vendor)
  })

  afterAll(() => day.stage.stop())

  beforeEach(() => {
    day.stage.resetKnobs()
    day.stage.setNow(nextDayAt(NOON))
  })

  describe(`${vendor.name}: the emulator’s bill of what happened`, () => {
    describeSound(vendor, () => day)
    describeLate(vendor, () => day)
    describeFaults(vendor, () => day)
  })
}

function describeSound({ fund }: ContractBillDay, day: () => Day): void {
  test('RC-12: holds the payments and refunds of the vendor’s day in Beijing, to the second', async () => {
    expect(await day().rows()).toEqual([...THE_DAY])
    const first = (await day().lines()).find(({ amountMinor }) => amountMinor === 10_000n)
    expect(first?.channelPaymentId).not.toBe('')
    expect(first?.at).toBe(formatChinaTime(day().bounds().from))
  })

  test('says the same by its fund bill, where it has one', async () => {
    if (fund === undefined) return
    const moved = (await day().lines('fund')).map(({ kind, amountMinor, stateText }) => [
      kind,
      amountMinor,
      stateText,
    ])
    expect(moved).toEqual(fund.map((row) => [...row]))
  })

  test('F117: is the same file each time, and another one when it is issued again', async () => {
    const first = await day().fetch()
    expect(Buffer.from((await day().fetch()).raw).equals(first.raw)).toBe(true)
    day().stage.setKnobs({ billReissued: 1 })
    const again = await day().fetch()
    expect(Buffer.from(again.raw).equals(first.raw)).toBe(false)
    expect(inOrder((await day().read(again.raw)).map(shown))).toEqual([...THE_DAY])
    day().stage.setKnobs({ billReissued: 1 })
    await day().fetch()
  })

  test('RC-09, RC-11: each plant changes exactly its line, and the bill stays sound', async () => {
    day().stage.setKnobs({
      billReissued: 1,
      billMissingLine: numberOf('p', 2),
      billDuplicateLine: numberOf('r', 1),
      billWrongAmount: { [numberOf('p', 1)]: 1 },
      billExtraLine: { TILL1: 700 },
    })
    const rows = await day().rows()
    day().stage.resetKnobs()
    day().stage.setKnobs({ billReissued: 1 })
    await day().fetch()
    expect(rows).toEqual(
      inOrder([
        ['payment', numberOf('p', 1), 10_001n],
        ['refund', numberOf('r', 1), 3000n],
        ['refund', numberOf('r', 1), 3000n],
        ['payment', 'TILL1', 700n],
      ]),
    )
  })
}

function describeLate({ readyAt, noneAt = NOON }: ContractBillDay, day: () => Day): void {
  test('RC-02: of a day without business there is none', async () => {
    day().stage.setNow(nextDayAt(noneAt))
    expect((await day().fetch('transaction', '2026-03-12')).outcome.kind).toBe('empty')
    day().stage.setKnobs({ billEmpty: true })
    expect((await day().fetch()).outcome.kind).toBe('empty')
  })

  test('RC-01, F109: is not there too early, nor while it is late', async () => {
    const ready = nextDayAt(readyAt)
    day().stage.setNow(addMs(ready, -1000))
    expect((await day().fetch()).outcome.kind).toBe('not_ready')
    day().stage.setNow(ready)
    day().stage.setKnobs({ billLate: 2 })
    const kinds = []
    for (let asked = 0; asked < 3; asked += 1) kinds.push((await day().fetch()).outcome.kind)
    expect(kinds).toEqual(['not_ready', 'not_ready', 'fetched'])
  })
}

function describeFaults({ hasLinks }: ContractBillDay, day: () => Day): void {
  test.each(['billTruncated', 'billCorrupt', 'billBomb'] as const)(
    'F111, F112, F115: %s is asked for again, or refused when it is read',
    async (knob) => {
      day().stage.setKnobs({ [knob]: 1 })
      const { outcome, raw } = await day().fetch()
      expect(['unknown', 'fetched']).toContain(outcome.kind)
      const found = await day()
        .read(raw)
        .catch((error: unknown) => error)
      expect(found).toBeInstanceOf(BillBroken)
      expect(await day().rows()).toEqual([...THE_DAY])
    },
  )

  test('F110: a link that expired is asked for again', async () => {
    if (hasLinks === undefined) return
    day().stage.setKnobs({ billLinkExpired: 1 })
    expect(await day().rows()).toEqual([...THE_DAY])
    day().stage.setKnobs({ billLinkExpired: 2 })
    expect((await day().fetch()).outcome.kind).toBe('unknown')
  })
}
