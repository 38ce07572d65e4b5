import { cny, formatYuan } from '#domain/money'
import type { PaymentLine, ReconciliationLine, StoryResult } from './line.ts'
import type { Stage } from './stage.ts'

/** Tells a person what happens, one plain line per step with the time since the start. */
export interface Narrator {
  step(text: string): void
  check(text: string, isTrue: boolean): void
  failure(error: unknown): void
  /** Whether every check held so far. */
  isGood(): boolean
  table(result: StoryResult): void
  addresses(stage: Stage): void
}

const MS_PER_SECOND = 1000

export function createNarrator(out: NodeJS.WriteStream, startedAt: number): Narrator {
  let hasFailed = false
  const line = (text: string): void => {
    const seconds = ((performance.now() - startedAt) / MS_PER_SECOND).toFixed(1).padStart(6)
    out.write(`${seconds} s  ${text}\n`)
  }
  return {
    step: line,
    check(text, isTrue) {
      hasFailed ||= !isTrue
      line(`${isTrue ? 'ok  ' : 'FAIL'} ${text}`)
    },
    isGood: () => !hasFailed,
    failure: (error) => line(`FAIL ${error instanceof Error ? error.message : String(error)}`),
    table({ payments, refunds, cases, reconciliation }) {
      const given = refunds.map(
        ({ channel, amount, state, points_taken_back: points }) =>
          `${channel.padEnd(12)}${yuan(amount).padStart(8)}  ${state}, ${points} points taken back`,
      )
      const open = cases.map(({ kind, state }) => `${kind}: ${state}`)
      out.write(`\n${[HEAD, ...payments.map(rowOf)].join('\n')}\n`)
      out.write(`\nbills\n${reconciliation.map(billOf).join('\n')}\n`)
      out.write(`\nrefunds\n${given.join('\n')}\n\ncases for a person\n${open.join('\n')}\n\n`)
    },
    addresses(stage) {
      const vendors = [...stage.counters].map(
        ([name, { till }]) =>
          `${name.padEnd(19)}${till.vendor.url} (emulator; /_control/orders, /_control/knobs)\n`,
      )
      out.write(
        `gateway            ${stage.url}\n` +
          vendors.join('') +
          `points system      ${stage.points.url} (/_control/effects)\n` +
          `the shop's system  ${new URL(stage.merchant.url).origin} (/_control/events, /_control/knobs)\n` +
          `API key (test)     ${stage.apiKey}\n\n`,
      )
    },
  }
}

const HEAD = 'channel     wallet      method        next       payment order   points callbacks'

const rowOf = (payment: PaymentLine): string =>
  [
    payment.channel.padEnd(12),
    (payment.wallet ?? '').padEnd(12),
    payment.method.padEnd(14),
    payment.next_action.padEnd(10),
    payment.state.padEnd(8),
    payment.order.padEnd(8),
    String(payment.points).padStart(6),
    String(payment.callbacks).padStart(10),
  ].join('')

function billOf(bill: ReconciliationLine): string {
  const { lines, matched, our_amount: ours, their_amount: theirs } = bill
  const kinds = Object.entries(bill.discrepancies).map(([kind, count]) => `${count} ${kind}`)
  return [
    `${bill.channel.padEnd(12)}${bill.business_date}  ${matched} of ${lines} lines agree`,
    `${yuan(ours)} here, ${yuan(theirs)} there`,
    ...kinds,
    bill.state,
  ].join(', ')
}

const yuan = (fen: number): string => formatYuan(cny(BigInt(fen)))
