import { expect, test } from 'bun:test'
import { BillBroken } from '#channel/bill'
import { NOON, THE_DAY, nextDayAt, numberOf } from './bill-day.ts'
import type { ContractBillDay, Day } from './bill-day.ts'
import { billPartsOf } from './bill-part.ts'

/** What not every vendor has: each of them is held to what the table says, not to what it happens to bring. */
export function describeParts(vendor: ContractBillDay, day: () => Day): void {
  const { name, fund } = vendor
  const { hasFund, hasLinks } = billPartsOf(name)

  test('F110: a link that expired is asked for again; where there is none, none expires', async () => {
    day().stage.setKnobs({ billLinkExpired: 1 })
    expect(await day().rows()).toEqual([...THE_DAY])
    day().stage.setKnobs({ billLinkExpired: 2 })
    expect((await day().fetch()).outcome.kind).toBe(hasLinks ? 'unknown' : 'fetched')
  })

  if (hasFund) return describeFund(vendor, day)

  test('has no fund bill, and says so without asking', async () => {
    expect(fund).toBeUndefined()
    expect(day().stage.built.channel.bill?.kinds).toEqual(['transaction'])
    const asked = day().stage.built.exchanges.length
    expect((await day().fetch('fund')).outcome).toMatchObject({ kind: 'refused' })
    expect(day().stage.built.exchanges).toHaveLength(asked)
  })
}

function describeFund({ fund, readyAt }: ContractBillDay, day: () => Day): void {
  const moved = async (): Promise<readonly (readonly unknown[])[]> =>
    (await day().lines('fund')).map(({ kind, amountMinor, stateText }) => [
      kind,
      amountMinor,
      stateText,
    ])
  const asIs = () => fund?.map((row) => [...row])

  test('its fund bill says how the account moved', async () => {
    expect(fund).toBeDefined()
    expect(await moved()).toEqual(asIs() ?? [])
  })

  test('RC-01, RC-02, F109: its fund bill is late or empty apart from the other', async () => {
    // Later an Alipay that has none means that there will be none.
    day().stage.setNow(nextDayAt(readyAt))
    day().stage.setKnobs({ fundLate: 1 })
    const kinds = [await day().fetch('fund'), await day().fetch('fund'), await day().fetch()]
    day().stage.setNow(nextDayAt(NOON))
    day().stage.setKnobs({ fundEmpty: true })
    kinds.push(await day().fetch('fund'), await day().fetch())
    expect(kinds.map(({ outcome }) => outcome.kind)).toEqual([
      'not_ready',
      'fetched',
      'fetched',
      'empty',
      'fetched',
    ])
  })

  test('RC-11: its fund bill alone can lack a movement, and stays sound', async () => {
    day().stage.setKnobs({ fundReissued: 1, fundMissingLine: numberOf('r', 1) })
    const without = await moved()
    day().stage.resetKnobs()
    day().stage.setKnobs({ fundReissued: 1 })
    expect(await moved()).toEqual(asIs() ?? [])
    expect(without.map(([kind]) => kind)).not.toContain('refund')
    expect(await day().rows()).toEqual([...THE_DAY])
  })

  test.each(['fundTruncated', 'fundCorrupt', 'fundBomb', 'fundLinkExpired'] as const)(
    'F110, F111, F112, F115: %s: nothing of it is read, and the next one is sound',
    async (knob) => {
      day().stage.setKnobs({ [knob]: knob === 'fundLinkExpired' ? 2 : 1 })
      const { raw } = await day().fetch('fund')
      const found = await day()
        .read(raw, 'fund')
        .catch((error: unknown) => error)
      expect(found).toBeInstanceOf(BillBroken)
      expect(await moved()).toEqual(asIs() ?? [])
    },
  )
}
