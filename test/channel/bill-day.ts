import { expect } from 'bun:test'
import type { BillKind, BillLine } from '#channel/bill'
import type { PaymentRequest } from '#channel/channel'
import { assert } from '#domain/assert'
import { addDays, boundsOf } from '#domain/business-day'
import { parsePaymentId, parseRefundId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import { cny } from '#domain/money'
import { addMs } from '#domain/time'
import type { BillKnobsPatch, FundKnobsPatch } from '../emulator/core/bill-knobs.ts'
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
    patch: BillKnobsPatch &
      FundKnobsPatch & { readonly dropCallbacks?: boolean; readonly dropForever?: boolean },
  ): unknown
  resetKnobs(): unknown
  /** The vendor's number of a payment, where a refund must name it. */
  channelPaymentIdOf?(number: string): string | undefined
  stop(): Promise<void>
}

export interface ContractBillDay {
  /** Of its strategy; `bill-part.ts` says which parts its bills have. */
  readonly name: string
  start(): Promise<BillStage>
  /** Before this time of the next day there is no bill, `HH:MM:SS`. */
  readonly readyAt: string
  /** From this time of the next day "none" is an answer; soon after the other unless given. */
  readonly noneAt?: string
  /** What the account moved by, as the fund bill tells it; absent without one. */
  readonly fund?: readonly FundRow[]
}

export type FundRow = readonly [kind: string, amountMinor: bigint, stateText: string]

export const BILL_DATE = '2026-03-14'
const NEXT_DATE = addDays(BILL_DATE, 1)
export const NOON = '12:00:00'
const HOUR_MS = 3_600_000

export const nextDayAt = (time: string): Date => new Date(`${NEXT_DATE}T${time}+08:00`)

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

export type Shown = readonly [kind: string, number: string, amountMinor: bigint]

export const shown = ({ kind, paymentNumber, refundNumber, amountMinor }: BillLine): Shown => [
  kind,
  kind === 'refund' ? refundNumber : paymentNumber,
  amountMinor,
]

/** In no order: an issue may have another. */
export const inOrder = (rows: readonly Shown[]): readonly Shown[] =>
  rows.toSorted((a, b) => (a.join() < b.join() ? -1 : 1))

export const THE_DAY: readonly Shown[] = [
  ['payment', numberOf('p', 1), 10_000n],
  ['payment', numberOf('p', 2), 1n],
  ['refund', numberOf('r', 1), 3000n],
]

/** A shop's two days at a vendor, and the bill of the first. */
export class Day {
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

export async function open({ start }: ContractBillDay): Promise<Day> {
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
