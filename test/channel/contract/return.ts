import { describe, expect, test } from 'bun:test'
import type { ReturnFields, ReturnReading } from '#channel/channel'
import { assert } from '#domain/assert'
import fc from 'fast-check'
import { openStage, toldPayment } from './stage.ts'
import type { Stage } from './stage.ts'
import type { ContractVendor } from './vendor.ts'

export function describeReturn(vendor: ContractVendor): void {
  describe('a return of the customer', () => {
    test('is read exactly where this vendor signs it', () => {
      const { channel } = openStage(vendor)
      expect(channel.readReturn !== undefined).toBe(vendor.voice('vendor').back !== undefined)
    })
    if (vendor.voice('vendor').back !== undefined) describeSigned(vendor)
  })
}

function readReturn({ channel }: Stage, fields: ReturnFields): Promise<ReturnReading> {
  assert(channel.readReturn !== undefined, 'expected a channel that reads returns')
  return channel.readReturn(fields)
}

function genuine(vendor: ContractVendor, speaks: 'vendor' | 'stranger' = 'vendor') {
  const stage = openStage(vendor)
  const told = toldPayment(stage, vendor)
  const fields = vendor.voice(speaks).back?.(told)
  assert(fields !== undefined, 'expected a voice that sends customers back')
  return { stage, told, fields }
}

function describeSigned(vendor: ContractVendor): void {
  test('names the payment, and a stranger names none', async () => {
    const { stage, told, fields } = genuine(vendor)
    expect(await readReturn(stage, fields)).toEqual({
      kind: 'verified',
      paymentNumber: told.paymentId,
    })
    const forged = genuine(vendor, 'stranger')
    expect((await readReturn(forged.stage, forged.fields)).kind).toBe('unverified')
    const credulous = openStage(vendor, { trusts: 'stranger' })
    expect((await readReturn(credulous, forged.fields)).kind).toBe('verified')
  })

  test('is unverified with any field changed, gone, doubled or renamed', async () => {
    const { stage, fields } = genuine(vendor)
    for (const [at, [name, value]] of fields.entries()) {
      const others = fields.filter((_field, index) => index !== at)
      const changes: ReturnFields[] = [
        others,
        [...others, [name, `${value}7`]],
        [...others, [`${name}7`, value]],
        [...fields, [name, value]],
      ]
      for (const changed of changes) {
        expect((await readReturn(stage, changed)).kind).toBe('unverified')
      }
    }
    expect((await readReturn(stage, [...fields, ['extra', '1']])).kind).toBe('unverified')
  })

  test('never throws, whatever a browser brings', async () => {
    const { stage, fields } = genuine(vendor)
    const names = fc.oneof(
      fc.constantFrom(...fields.map(([name]) => name), '__proto__'),
      fc.string(),
    )
    const anything = fc.array(fc.tuple(names, fc.string({ unit: 'binary' })), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(anything, async (random) => {
        expect((await readReturn(stage, random)).kind).toBe('unverified')
        expect((await readReturn(stage, [...fields, ...random])).kind).toMatch(/verified$/)
      }),
      { numRuns: 200 },
    )
  })
}
