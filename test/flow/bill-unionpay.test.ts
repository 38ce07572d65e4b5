import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { addDays } from '#domain/business-day'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openBillScene } from './bill-unionpay-scene.ts'
import type { BillScene } from './bill-unionpay-scene.ts'

// A clearing day of UnionPay, from 23:00 to 23:00, and its file: the schedule, the download, the matching.

const TIMEOUT_MS = 120_000

let database: TestDatabase
let scene: BillScene
/** Each test has days of its own, one after the other. */
let day = ''
let next = ''

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
  day = scene.first
  next = addDays(day, 1)
}, TIMEOUT_MS)

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

beforeEach(() => {
  scene.vendor.resetKnobs()
})

/** The test before has ended on the next day, at most in its evening. */
function turnTo(): void {
  day = addDays(next, 1)
  next = addDays(day, 1)
  scene.passTo(day, '10:00:00')
}

/** MMdd. */
const monthDay = (date: string): string => date.slice(5).replace('-', '')

describe('a clearing day of UnionPay', () => {
  test(
    'RC-12: what is paid at 23:30 is in the next day’s file, and nothing is missing in its own',
    async () => {
      const noon = await scene.buyPaid()
      const refund = await scene.refund(noon, 300)
      scene.passTo(day, '22:59:00')
      const evening = await scene.buyPaid(500)
      scene.passTo(day, '23:30:00')
      const night = await scene.buyPaid(700)
      expect(await scene.clearingDateOf(evening)).toBe(monthDay(day))
      expect(await scene.clearingDateOf(night)).toBe(monthDay(next))

      scene.passTo(next, '09:05:30')
      expect((await scene.waitForRun(day, 'done')).note).toBe('3 of 3 lines agree')
      expect(await scene.linesOf(day)).toEqual([noon, refund, evening])
      expect(await scene.found(day)).toEqual([])

      scene.passTo(addDays(next, 1), '09:05:30')
      expect((await scene.waitForRun(next, 'done')).note).toBe('1 of 1 lines agree')
      expect(await scene.linesOf(next)).toEqual([night])
      expect(await scene.found(next)).toEqual([])
      next = addDays(next, 1)
    },
    TIMEOUT_MS,
  )

  test(
    'RC-14: brings a payment that we never heard of, which is asked about and then paid',
    async () => {
      turnTo()
      const known = await scene.buyPaid()
      scene.passTo(day, '10:10:00')
      const unheard = await scene.buyUnheard(900)
      scene.passTo(next, '09:05:30')
      expect((await scene.waitForRun(day, 'done')).note).toBe('1 of 2 lines agree')
      expect((await scene.linesOf(day)).toSorted()).toEqual([known, unheard].toSorted())
      await scene.counter.shop.waitForState(unheard, 'paid', TIMEOUT_MS)
      await waitFor('the repair', async () =>
        (await scene.found(day)).includes(`missing_here ${unheard} resolved`) ? true : undefined,
      )
    },
    TIMEOUT_MS,
  )

  test(
    'RC-14: differs line by line: amount, number, a line twice, an old till, one that is not there',
    async () => {
      turnTo()
      const ids = []
      for (let count = 0; count < 4; count += 1) ids.push(await scene.buyPaid())
      const [other = '', twice = '', absent = '', renamed = ''] = ids
      scene.vendor.setKnobs({
        billWrongAmount: { [other]: 1 },
        billDuplicateLine: twice,
        billMissingLine: absent,
        billExtraLine: { TILL0007: 100 },
        // The vendor's own number is still that of our payment.
        billOtherNumber: { [renamed]: 'TILL0008' },
      })
      scene.passTo(next, '09:05:30')
      await scene.waitForRun(day, 'done')
      const differences = await scene.found(day)
      expect(differences.map((text) => text.replace(/ \d+ open$/, ' open'))).toEqual(
        [
          `amount_differs ${other} open`,
          `duplicate ${twice} open`,
          'foreign payments open',
          `missing_there ${absent} held`,
          `number_differs ${renamed} open`,
        ].toSorted(),
      )
    },
    TIMEOUT_MS,
  )

  test(
    'RC-01: whose file comes late is asked for every half hour, and nothing is a difference',
    async () => {
      turnTo()
      const paid = await scene.buyPaid()
      scene.vendor.setKnobs({ billLate: true })
      scene.passTo(next, '09:05:30')
      expect((await scene.waitForRun(day, 'waiting')).note).toBe('98')
      expect(await scene.found(day)).toEqual([])
      scene.vendor.setKnobs({ billLate: 0 })
      scene.passTo(next, '09:40:00')
      expect((await scene.waitForRun(day, 'done', 2)).note).toBe('1 of 1 lines agree')
      expect(await scene.linesOf(day)).toEqual([paid])
    },
    TIMEOUT_MS,
  )

  test(
    'RC-02: without business is a closed, empty run once "no file" is an answer, and not before',
    async () => {
      turnTo()
      scene.passTo(next, '09:05:30')
      expect((await scene.waitForRun(day, 'waiting')).note).toBe('98')
      scene.passTo(next, '18:00:30')
      expect((await scene.waitForRun(day, 'done', 2)).note).toBe('0 of 0 lines agree')
      expect(await scene.found(day)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'RC-02: with a file without lines is kept and not believed, either, while we have counted money of it',
    async () => {
      turnTo()
      const id = await scene.buyPaid()
      scene.vendor.setKnobs({ billMissingLine: id, billEmptyFile: true })
      scene.passTo(next, '09:05:30')
      const { note } = await scene.waitForRun(day, 'waiting')
      expect(note).toBe('no lines, but money of that day is counted here')
      scene.vendor.setKnobs({ billMissingLine: '', billReissued: 1 })
      scene.passTo(next, '09:40:00')
      expect((await scene.waitForRun(day, 'done', 2)).note).toBe('1 of 1 lines agree')
      expect(await scene.found(day)).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'RC-02: without a file is not believed while we have counted money of it: a person at the deadline',
    async () => {
      turnTo()
      await scene.buyPaid()
      scene.vendor.setKnobs({ billEmpty: true })
      scene.passTo(next, '18:00:30')
      const { note, vendor_merchant_id: owner } = await scene.waitForRun(day, 'waiting')
      expect(note).toBe('98, but money of that day is counted here')
      expect(await scene.casesOf(`${owner} ${day}`)).toEqual([])
      next = addDays(next, 1)
      scene.passTo(next, '18:05:00')
      await scene.waitForRun(day, 'failed', 2)
      await waitFor('the case', async () =>
        (await scene.casesOf(`${owner} ${day}`)).includes('bill_missing') ? true : undefined,
      )
      expect(await scene.found(day)).toEqual([])
    },
    TIMEOUT_MS,
  )
})

describe('a file that is not sound', () => {
  test.each([
    ['billTruncated', 1, 'zlib'],
    ['billCorrupt', 1, 'zlib'],
    ['billBomb', 1, 'at most 1000 bytes'],
    ['billArchive', 'parent', 'has a path'],
    ['billArchive', 'bad_crc', 'CRC'],
    ['billCharset', 'broken', 'expected GBK'],
  ] as const)(
    'F111, F112, F115, F116: is refused whole and kept: %s %p',
    async (knob, value, reason) => {
      turnTo()
      await scene.buyPaid()
      const before = (await scene.brokenFiles()).length
      scene.vendor.setKnobs({ [knob]: value })
      scene.passTo(next, '09:05:30')
      const run = await scene.waitForRun(day, 'failed')
      expect(run.note).toContain(reason)
      const files = await scene.brokenFiles()
      expect(files).toHaveLength(before + 1)
      expect(files.filter(({ broken }) => broken === run.note).length).toBeGreaterThan(0)
      expect(files.every(({ bytes }) => Number(bytes) > 0)).toBe(true)
      expect(await scene.linesOf(day)).toEqual([])
      await waitFor('the case', async () =>
        (await scene.casesOf(`${run.vendor_merchant_id} ${day}`)).includes('bill_missing')
          ? true
          : undefined,
      )
      expect(await scene.found(day)).toEqual([])
    },
    TIMEOUT_MS,
  )
})
