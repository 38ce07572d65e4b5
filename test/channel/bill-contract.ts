import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { BillBroken } from '#channel/bill'
import type { BillKind, BillLine, BillPart } from '#channel/bill'
import { strategies } from '#channel/strategies'
import { assert } from '#domain/assert'
import { brokenBy, cutAt, readRaw } from './bill-file.ts'

/** A day's bill as the vendor sends it, and what it says. */
export interface BillSample {
  readonly name: string
  readonly kind: BillKind
  readonly businessDate: string
  readonly raw: Uint8Array
  readonly lines: readonly BillLine[]
}

/** What a vendor brings for its bills. */
export interface ContractBill {
  /** Of its strategy. */
  readonly name: keyof typeof strategies
  part(): BillPart
  readonly samples: readonly BillSample[]
  /** Sound packing of what expands beyond all limits; absent where nothing is packed. */
  readonly bomb?: Uint8Array
  /** Reads a bill's text in pieces; absent where the bill is no stream of text. */
  readonly pieces?: PieceReader
}

export interface PieceReader {
  /** The text of a sample. */
  textOf(sample: BillSample): Uint8Array
  read(pieces: readonly Uint8Array[], sample: BillSample): Promise<readonly BillLine[]>
}

/**
 * What every channel with bills must do, whoever the vendor is. A vendor's `bill-contract.test.ts` calls it
 * once; `describeBillDay` is its other half, with the emulator.
 */
export function describeBills(bill: ContractBill): void {
  describe(`${bill.name} bills`, () => {
    describeTimes(bill)
    describe.each(bill.samples.map((sample) => [sample.name, sample] as const))(
      '%s',
      (_name, sample) => {
        describeSample(bill, sample)
        describeDamage(bill, sample)
        if (bill.pieces !== undefined) describePieces(bill.pieces, sample)
      },
    )
    if (bill.bomb !== undefined) describeBomb(bill, bill.bomb)
  })
}

function describeBomb({ part, samples }: ContractBill, bomb: Uint8Array): void {
  test('F115: a bomb is refused', async () => {
    const [sample] = samples
    assert(sample !== undefined, 'the vendor brings a sample')
    await brokenBy(readRaw(part(), bomb, sample))
  })
}

function describeTimes({ name, part, samples }: ContractBill): void {
  const strategy = strategies[name]
  test('are said to be there, with their times, by strategy and channel alike', () => {
    expect(strategy?.capabilities.bill).toBe(true)
    const { refundsBy, dayEndHour, availableAtMinute, retrySeconds, deadlineHours, kinds } = part()
    const times = { kinds, refundsBy, dayEndHour, availableAtMinute, retrySeconds, deadlineHours }
    const { hasWalletNumbers } = part()
    expect(strategy?.billTimes).toEqual({ ...times, ...(hasWalletNumbers && { hasWalletNumbers }) })
    expect(new Set(samples.map(({ kind }) => kind))).toEqual(new Set(kinds))
    expect(retrySeconds).toBeGreaterThan(60)
    expect(deadlineHours * 3600).toBeGreaterThan(2 * retrySeconds)
  })
}

function describeSample({ part }: ContractBill, sample: BillSample): void {
  test('RC-10: gives the expected rows, and their sums by kind', async () => {
    const lines = await readRaw(part(), sample.raw, sample)
    expect(lines).toEqual([...sample.lines])
    expect(sumsOf(lines)).toEqual(sumsOf(sample.lines))
  })

  test('numbers its lines upwards, and no amount has a sign', async () => {
    const lines = await readRaw(part(), sample.raw, sample)
    const numbers = lines.map(({ line }) => line)
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    expect(new Set(numbers).size).toBe(numbers.length)
    expect(lines.filter(({ amountMinor }) => amountMinor < 0n)).toEqual([])
  })

  test('is refused as the bill of another day', async () => {
    for (const businessDate of ['2026-01-29', '2025-01-30']) {
      expect(businessDate).not.toBe(sample.businessDate)
      await brokenBy(readRaw(part(), sample.raw, { ...sample, businessDate }))
    }
  })

  test('is refused as another kind of bill', async () => {
    for (const kind of part().kinds.filter((other) => other !== sample.kind)) {
      await brokenBy(readRaw(part(), sample.raw, { ...sample, kind }))
    }
  })
}

function sumsOf(lines: readonly BillLine[]): Readonly<Record<string, bigint>> {
  const sums: Record<string, bigint> = {}
  for (const { kind, amountMinor } of lines) sums[kind] = (sums[kind] ?? 0n) + amountMinor
  return sums
}

function describeDamage({ part }: ContractBill, sample: BillSample): void {
  const { raw } = sample

  test.each([10, 20, 30, 40, 50, 60, 70, 80, 90])(
    'F111: cut at %p percent is refused',
    async (per) => {
      const cut = raw.subarray(0, Math.floor((raw.length * per) / 100))
      await brokenBy(readRaw(part(), cut, sample))
    },
  )

  test('F112: a flipped bit is found, or changes nothing', async () => {
    for (let at = 0; at < raw.length; at += 3) {
      const flipped = raw.with(at, (raw[at] ?? 0) ^ 0x10)
      const read = await readRaw(part(), flipped, sample).catch((error: unknown) => error)
      if (!(read instanceof BillBroken)) expect(read).toEqual([...sample.lines])
    }
  })

  test('bytes at random are refused, and never anything worse', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await brokenBy(readRaw(part(), bytes, sample))
      }),
    )
  })
}

function describePieces({ textOf, read }: PieceReader, sample: BillSample): void {
  const text = textOf(sample)

  test('F113: wherever its text is cut, its rows are the same', async () => {
    const whole = await read([text], sample)
    expect(whole).toEqual([...sample.lines])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 12 }), async (places) => {
        expect(await read(cutAt(text, places), sample)).toEqual([...whole])
      }),
      { numRuns: 200 },
    )
  })

  test('F113: byte by byte', async () => {
    const single = [...text].map((byte) => Uint8Array.of(byte))
    expect(await read(single, sample)).toEqual([...sample.lines])
  })
}
