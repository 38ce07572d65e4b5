/** A side effect, for tests that break a process before and after it. */
interface Effect {
  readonly process: 'gateway' | 'worker'
  /** The kind of message that leads here. */
  readonly reachedBy: 'any' | 'repeat' | 'conflict' | 'bad_row' | 'refused' | 'unknown_serial'
  /** Our last act is to hand the answer to the server: nothing of ours comes after it. */
  readonly isLast?: true
}

const gateway = { process: 'gateway', reachedBy: 'any' } as const
const worker = { process: 'worker', reachedBy: 'any' } as const

/**
 * Every side effect with a failpoint on both sides, in the order in which they happen.
 *
 * Code says `hit('callback.commit:before')` from `#failpoint`. That module is empty; only the condition
 * `test` replaces it (package.json, `imports`).
 */
export const EFFECTS = {
  'callback.account': gateway,
  'callback.body': gateway,
  'callback.verify': gateway,
  'callback.rejected-row': { process: 'gateway', reachedBy: 'refused' },
  'callback.enqueue': gateway,
  'callback.begin': gateway,
  'callback.insert': gateway,
  'callback.order-status-job': gateway,
  'callback.compensation-job': gateway,
  'callback.conflict-read': { process: 'gateway', reachedBy: 'repeat' },
  'callback.conflict-row': { process: 'gateway', reachedBy: 'conflict' },
  'callback.conflict-case': { process: 'gateway', reachedBy: 'conflict' },
  'callback.commit': gateway,
  'callback.apart': { process: 'gateway', reachedBy: 'bad_row' },
  'callback.answer': { process: 'gateway', reachedBy: 'any', isLast: true },
  'key-refresh.fetch': { process: 'gateway', reachedBy: 'unknown_serial' },
  'key-refresh.store': { process: 'gateway', reachedBy: 'unknown_serial' },
  'apply.begin': worker,
  'apply.claim': worker,
  'apply.confirm': worker,
  'apply.finish': worker,
  'apply.query-job': worker,
  'apply.log': worker,
  'apply.commit': worker,
  'bill.claim': worker,
  'bill.fetch': worker,
  'bill.begin': worker,
  'bill.keep': worker,
  'bill.copy': worker,
  'bill.rows': worker,
  'bill.insert': worker,
  'bill.commit': worker,
  'bill.loaded': worker,
  'reconcile.match': worker,
  'reconcile.run': worker,
  'reconcile.commit': worker,
  'reconcile.done': worker,
} as const satisfies Readonly<Record<string, Effect>>

export type EffectName = keyof typeof EFFECTS

/** A place in our code: an effect and a side of it. */
export type FailpointName =
  `${EffectName}:before` | `${Exclude<EffectName, 'callback.answer'>}:after`
