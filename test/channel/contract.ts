import { describe, expect, test } from 'bun:test'
import { strategies } from '#channel/strategies'
import { describeAcknowledgement } from './contract/acknowledgement.ts'
import { describeAnswers } from './contract/answer.ts'
import { describeCallback } from './contract/callback.ts'
import { describeCapabilities } from './contract/capability.ts'
import { describeLog } from './contract/log.ts'
import { describeMoney } from './contract/money.ts'
import { describeRefunds } from './contract/refund.ts'
import { describeReturn } from './contract/return.ts'
import { describeRobustness } from './contract/robustness.ts'
import type { ContractVendor } from './contract/vendor.ts'

/**
 * What every channel must do, whoever the vendor is: the definition of a channel.
 *
 * A vendor's `contract.test.ts` describes its vendor as a `ContractVendor` and calls this once. A channel is
 * done when it passes. What only one vendor has (its vectors, its codes) is in that vendor's own tests.
 *
 * - Callbacks: a genuine one is verified and its facts are all that the worker compares; any changed byte,
 *   header or key is refused; what the scheme normalises does not matter; nothing makes reading throw.
 * - Answers: a time-out, a page, a cut or a wrong signature is `unknown` for create, query and close.
 * - Money: amounts are exact to the fen in both directions, in the vendor's one form.
 * - States: every documented one is mapped, and one that nobody knows leaves the payment pending.
 * - Refunds: only the vendor's own definite word refuses one; what is in doubt is unknown. What is not
 *   repeatable is sent once, what is repeatable is repeated to the letter.
 * - Capabilities: honest about methods, wallets, parts and deadlines. Preparing sends nothing.
 * - The log: no key, signature or payer.
 */
export function describeContract(vendor: ContractVendor): void {
  describe(`${vendor.name} channel`, () => {
    test('is registered under its name', () => {
      expect(strategies[vendor.name]).toBe(vendor.strategy)
    })
    describeCapabilities(vendor)
    describeCallback(vendor)
    describeRobustness(vendor)
    describeReturn(vendor)
    describeAcknowledgement(vendor)
    describeAnswers(vendor)
    describeMoney(vendor)
    describeRefunds(vendor)
    describeLog(vendor)
  })
}
