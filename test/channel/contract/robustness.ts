import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { expectRefusedOrSame, genuine, read } from './callback.ts'
import type { ContractVendor } from './vendor.ts'

export function describeRobustness(vendor: ContractVendor): void {
  describe('reading a callback never throws', () => {
    test('on any part of a genuine one, which is refused', async () => {
      const { stage, message } = genuine(vendor)
      for (let end = 0; end < message.body.length; end += 1) {
        const part = { headers: message.headers, body: message.body.slice(0, end) }
        await expectRefusedOrSame(vendor, stage, message, part)
      }
    })

    test('on random bytes, under genuine headers or none', async () => {
      const { stage, message } = genuine(vendor)
      const bytes = fc.uint8Array({ maxLength: 2000 })
      await fc.assert(
        fc.asyncProperty(bytes, fc.boolean(), async (body, isBare) => {
          const headers = isBare ? {} : message.headers
          expect((await read(stage, { headers, body })).kind).toBe('rejected')
        }),
        { numRuns: 300 },
      )
    })

    test('on random headers', async () => {
      const { stage, message } = genuine(vendor)
      const names = ['content-type', ...vendor.signedHeaders]
      const headers = fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary' }))
      await fc.assert(
        fc.asyncProperty(headers, async (changes) => {
          const changed = { ...message.headers, ...changes }
          await read(stage, { headers: changed, body: message.body })
        }),
        { numRuns: 200 },
      )
    })

    test('on text that looks like the real thing', async () => {
      const { stage, message } = genuine(vendor)
      const texts = [
        '{}',
        '[]',
        'null',
        '{"a":',
        '=&=&==',
        'sign=%',
        '%',
        '&',
        '[]=1',
        '__proto__=1',
      ]
      for (const text of [...texts, '['.repeat(100_000), 'a=1&'.repeat(100_000)]) {
        const reading = await read(stage, { headers: message.headers, body: Buffer.from(text) })
        expect(reading.kind).toBe('rejected')
      }
    })
  })
}
