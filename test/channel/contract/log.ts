import { describe, expect, test } from 'bun:test'
import type { KeyPurpose } from '#domain/key'
import { SIGNATURE } from './callback.ts'
import { callsOf, perform } from './call.ts'
import type { Call } from './call.ts'
import { refundCallsOf } from './refund-call.ts'
import { CLIENT_IP, PAYER_OPEN_ID } from './stage.ts'
import type { ContractVendor } from './vendor.ts'

const SECRET_PURPOSES: readonly KeyPurpose[] = ['merchant_private', 'symmetric', 'api_secret']

/** What of the account's keys must be seen nowhere: whole keys, and the lines of those in PEM. */
function secretsOf(vendor: ContractVendor): readonly string[] {
  return vendor
    .account('vendor')
    .keys.filter(({ purpose }) => SECRET_PURPOSES.includes(purpose))
    .map(({ value }) => value.reveal())
    .flatMap((key) => [key, ...key.split('\n').filter((line) => /^[\w+/=]{40,}$/.test(line))])
}

/** What a call leaves in the transaction log, after good answers and after a refusal; and what was answered. */
async function exchangesOf(vendor: ContractVendor, call: Call) {
  let answered = ''
  const listen = async (response: Response): Promise<Response> => {
    answered += await response.clone().text()
    return response
  }
  const good = await perform(vendor, call, { change: (answer) => listen(answer()) })
  const refused = await perform(vendor, call, {
    change: (_answer, _index, heard) => listen(vendor.voice('vendor').refused(heard)),
  })
  const exchanges = [...good.stage.exchanges, ...refused.stage.exchanges]
  return { recorded: JSON.stringify(exchanges), exchanges, answered, told: good.told }
}

export function describeLog(vendor: ContractVendor): void {
  const calls = [...callsOf(vendor), ...refundCallsOf(vendor)]
  describe('what is recorded of an exchange', () => {
    test.each(calls.map((call) => [call.name, call] as const))(
      'of %s holds no key, no signature and nothing of the payer',
      async (_name, call) => {
        const { recorded } = await exchangesOf(vendor, call)
        for (const secret of secretsOf(vendor)) expect(recorded).not.toContain(secret)
        const payer = [...vendor.payerMarks, PAYER_OPEN_ID, CLIENT_IP]
        for (const mark of payer) expect(recorded).not.toContain(mark)
        expect(recorded).not.toMatch(SIGNATURE)
      },
    )

    test('explains the payment: its number is there', async () => {
      for (const call of calls) {
        const { recorded, told } = await exchangesOf(vendor, call)
        expect(recorded).toContain(told.paymentId)
      }
    })

    test('was worth hiding: the answers named the payer', async () => {
      const all = await Promise.all(calls.map((call) => exchangesOf(vendor, call)))
      const answered = all.map((one) => one.answered).join()
      for (const mark of vendor.payerMarks) expect(answered).toContain(mark)
    })
  })
}
