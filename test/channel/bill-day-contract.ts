import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { BillBroken } from '#channel/bill'
import { addMs, formatChinaTime } from '#domain/time'
import { NOON, THE_DAY, inOrder, nextDayAt, numberOf, open, shown } from './bill-day.ts'
import type { ContractBillDay, Day } from './bill-day.ts'
import { describeParts } from './bill-part-contract.ts'

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
    describeSound(() => day)
    describeLate(vendor, () => day)
    describeFaults(() => day)
    describeParts(vendor, () => day)
  })
}

function describeSound(day: () => Day): void {
  test('RC-12: holds the payments and refunds of the vendor’s day in Beijing, to the second', async () => {
    expect(await day().rows()).toEqual([...THE_DAY])
    const first = (await day().lines()).find(({ amountMinor }) => amountMinor === 10_000n)
    expect(first?.channelPaymentId).not.toBe('')
    expect(first?.at).toBe(formatChinaTime(day().bounds().from))
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

function describeFaults(day: () => Day): void {
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
}
