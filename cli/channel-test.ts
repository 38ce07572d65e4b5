import type { Command } from 'commander'
import { unreachable } from '#domain/assert'
import type { QueryOutcome } from '#channel/channel'
import { loadSealKey } from '#db/config'
import { newPaymentId } from '#domain/id'
import { buildChannel, createCommandRegistry } from './channel-build.ts'
import { around } from '#failpoint'
import { addCommand, report } from './context.ts'
import type { Context, JsonOption, Report } from './context.ts'
import { databaseUrlOf, withDatabase } from './database.ts'
import { Failure } from './failure.ts'
import { readAccountId } from './id.ts'
import { loadStoredAccount } from './stored-account.ts'

export function addChannelTest(channel: Command, context: Context): void {
  addCommand(channel, 'test <id>', 'ask the vendor for a payment that never was').action(
    (id: string, options: JsonOption) => test(context, id, options),
  )
}

async function test(context: Context, text: string, options: JsonOption): Promise<void> {
  const id = readAccountId(text)
  databaseUrlOf(context)
  const sealKey = loadSealKey(context.env)
  const account = await withDatabase(context, (db) => loadStoredAccount(db, sealKey, id))
  const channel = buildChannel(createCommandRegistry(context), account)
  const never = {
    paymentId: newPaymentId(),
    method: channel.capabilities.methods[0] ?? 'qr',
    createdAt: context.clock.now(),
  }
  const outcome = await around('vendor.test', () => channel.queryPayment(never, () => undefined))
  report(context, options, judge(account.id, outcome))
}

function judge(account: string, outcome: QueryOutcome): Report {
  switch (outcome.kind) {
    case 'absent': {
      const { isSigned: verified } = outcome
      const doubt = "but did not sign this answer, so the vendor's keys are not proven"
      return {
        json: { account, answer: 'absent', verified },
        text: `good: the vendor took our signature ${verified ? 'and its answer verified' : doubt}`,
      }
    }
    case 'found':
      throw new Failure('vendor', 'the vendor knows a payment that we never made; ask the vendor')
    case 'unknown':
      throw failureOf(outcome.cause)
    default:
      return unreachable(outcome)
  }
}

/** Trouble on the way; everything else that is unknown was said, or signed wrongly, by the vendor. */
const NO_ANSWER = new Set(['connection', 'cut', 'timeout', 'too_large'])

function failureOf(cause: string): Failure {
  if (cause === 'host_refused') {
    return new Failure(
      'environment',
      "the vendor was not asked: the account's address is not https at a public name, and PINGZHANG_LOCAL_HOSTS does not name it",
    )
  }
  return NO_ANSWER.has(cause)
    ? new Failure(
        'environment',
        `no answer (${cause}); check the vendor's address in the account and the network`,
      )
    : new Failure('vendor', `the vendor: ${cause}; check the account's numbers and keys`)
}
