import type { Platform } from '../support/platform.ts'
import type { PaymentLine } from './story.ts'

/** Tells a person what happens, one plain line per step with the time since the start. */
export interface Narrator {
  step(text: string): void
  check(text: string, isTrue: boolean): void
  failure(error: unknown): void
  table(payments: readonly PaymentLine[]): void
  addresses(platform: Platform): void
}

const MS_PER_SECOND = 1000

export function createNarrator(out: NodeJS.WriteStream, startedAt: number): Narrator {
  const line = (text: string): void => {
    const seconds = ((performance.now() - startedAt) / MS_PER_SECOND).toFixed(1).padStart(6)
    out.write(`${seconds} s  ${text}\n`)
  }
  return {
    step: line,
    check: (text, isTrue) => line(`${isTrue ? 'ok  ' : 'FAIL'} ${text}`),
    failure: (error) => line(`FAIL ${error instanceof Error ? error.message : String(error)}`),
    table(payments) {
      const rows = payments.map((payment) =>
        [
          payment.channel.padEnd(12),
          payment.method.padEnd(14),
          payment.next_action.padEnd(10),
          payment.state.padEnd(8),
          payment.order.padEnd(8),
          String(payment.points).padStart(6),
          String(payment.callbacks).padStart(10),
        ].join(''),
      )
      const head = 'channel     method        next       payment order   points callbacks'
      out.write(`\n${[head, ...rows].join('\n')}\n\n`)
    },
    addresses(platform) {
      out.write(
        `gateway            ${platform.gateway.url}\n` +
          `WeChat Pay         ${platform.emulator.url} (emulator; /_control/orders, /_control/knobs)\n` +
          `points system      ${platform.points.url} (/_control/effects)\n` +
          `API key (test)     ${platform.apiKey}\n\n`,
      )
    },
  }
}
