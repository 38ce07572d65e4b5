import { describe, expect, test } from 'bun:test'
import type { Answer } from '#channel/channel'
import { openStage } from './stage.ts'
import type { ContractVendor } from './vendor.ts'

const ANSWERS: readonly Answer[] = ['stored', 'refused', 'rejected', 'unavailable']

export function describeAcknowledgement(vendor: ContractVendor): void {
  describe('an acknowledgement', () => {
    test.each(ANSWERS)('CB-21: of %s is exactly the bytes of this vendor', async (answer) => {
      const response = openStage(vendor).channel.acknowledge(answer)
      const { status, body, contentType } = vendor.answers[answer]
      expect(response.status).toBe(status)
      expect(await response.text()).toBe(body)
      if (contentType !== undefined) expect(response.headers.get('content-type')).toBe(contentType)
    })

    test('says success for what is stored only, and never redirects', async () => {
      const { channel } = openStage(vendor)
      const said = async (answer: Answer) => {
        const response = channel.acknowledge(answer)
        return `${response.status} ${await response.text()}`
      }
      const stored = await said('stored')
      expect(stored).toStartWith('200 ')
      for (const answer of ANSWERS) {
        if (answer !== 'stored') expect(await said(answer)).not.toBe(stored)
        expect(await said(answer)).not.toMatch(/^3/)
        expect(channel.acknowledge(answer).headers.has('location')).toBe(false)
      }
    })
  })
}
