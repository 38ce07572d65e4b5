import type { AppendLog } from '../append-log.ts'
import type { MerchantPanel, Mode } from './knobs.ts'
import type { Judgement } from './signature.ts'

/** One request as the merchant's system saw it. */
export interface Arrival {
  readonly id: string
  readonly timestamp: string
  readonly type: string | undefined
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly judgement: Judgement
  readonly mode: Mode
  readonly at: string
}

export interface MerchantState {
  readonly panel: MerchantPanel
  readonly log: AppendLog<Arrival>
  readonly clock: () => Date
  secrets: readonly string[]
  connections: number
}

/** Once per id: a repeat tells a receiver nothing new. */
export function acceptedOf(arrivals: readonly Arrival[]): readonly Arrival[] {
  const good = arrivals.filter(({ mode, judgement }) => mode === 'ok' && judgement === 'genuine')
  return [...new Map(good.toReversed().map((item) => [item.id, item])).values()].toReversed()
}
