/** What leads to an effect. */
export type Reach =
  /** Every callback. */
  | 'any'
  /** A callback of a kind of its own. */
  | 'repeat'
  | 'conflict'
  | 'bad_row'
  | 'refused'
  | 'unknown_serial'
  /** A purchase that is refunded in part, of which the vendor tells us. */
  | 'sale'
  /** The same purchase, when no callback arrives. */
  | 'silence'
  /** The same purchase after a failure. */
  | 'failure'
  /** A day whose bill is fetched and matched. */
  | 'bill'
  /** A closing, a refusal, a lack of points, a schedule, a change of an event's address. */
  | 'elsewhere'
  /** An operator's command or decision. */
  | 'operator'

/** A side effect, for tests that break a process before and after it. */
interface Effect {
  /** Where it happens; `both`: the gateway and the worker have the same code. */
  readonly process: 'gateway' | 'worker' | 'both' | 'command'
  readonly reachedBy: Reach
  /** Our last act is to hand the answer to the server: nothing of ours comes after it. */
  readonly isLast?: true
}

const gateway = { process: 'gateway', reachedBy: 'any' } as const
const worker = { process: 'worker', reachedBy: 'any' } as const
const ofBill = { process: 'worker', reachedBy: 'bill' } as const
const inGateway = { process: 'gateway', reachedBy: 'sale' } as const
const inWorker = { process: 'worker', reachedBy: 'sale' } as const
const inSilence = { process: 'worker', reachedBy: 'silence' } as const
const elsewhereInGateway = { process: 'gateway', reachedBy: 'elsewhere' } as const
const elsewhereInWorker = { process: 'worker', reachedBy: 'elsewhere' } as const
const elsewhereInBoth = { process: 'both', reachedBy: 'elsewhere' } as const
const command = { process: 'command', reachedBy: 'operator' } as const

/**
 * Every side effect with a failpoint on both sides: each vendor call, points call, call of a merchant, commit.
 *
 * Code says `around('points.call', …)` or `commit(db, 'refund.begin', …)`, and on the path of a callback
 * `hit('callback.commit:before')`. `#failpoint` is empty; only the condition `test` replaces it (package.json,
 * `imports`). All stand in code that every vendor shares; only `vendor.close…` and `vendor.foreign-refund` need
 * a vendor that has such a call.
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
  'apply.begin': worker,
  'apply.claim': worker,
  'apply.confirm': worker,
  'apply.finish': worker,
  'apply.query-job': worker,
  'apply.log': worker,
  'apply.commit': worker,
  'bill.claim': ofBill,
  'bill.fetch': ofBill,
  'bill.begin': ofBill,
  'bill.keep': ofBill,
  'bill.copy': ofBill,
  'bill.rows': ofBill,
  'bill.insert': ofBill,
  'bill.commit': ofBill,
  'bill.loaded': ofBill,
  'reconcile.match': ofBill,
  'reconcile.run': ofBill,
  'reconcile.commit': ofBill,
  'reconcile.done': ofBill,

  'request.take': inGateway,
  'request.keep': inGateway,
  'request.release': { process: 'gateway', reachedBy: 'failure' },
  'request.take-over': { process: 'gateway', reachedBy: 'failure' },
  'payment.start': inGateway,
  'payment.start-another': inGateway,
  'vendor.create': inGateway,
  // The gateway has it, too: for a payment that was not made, and for keys.
  'log.append': inWorker,
  'payment.credential': inGateway,
  'points.mark-sent': inWorker,
  'points.call': inWorker,
  'points.mark-done': inWorker,
  'points.repair': inWorker,
  'repair.record': elsewhereInWorker,
  'event.begin': inWorker,
  'event.call': inWorker,
  'event.finish': inWorker,
  'refund.request': inGateway,
  'refund.begin': inWorker,
  'vendor.refund': inWorker,
  'refund.answer': inWorker,
  'refund-news.apply': inWorker,
  'points.push': inWorker,
  'points.mark-back': inWorker,

  'query.ask': { process: 'gateway', reachedBy: 'silence' },
  'vendor.query': inSilence,
  'query.confirm': inSilence,
  'query.plan': inSilence,
  'sweep.take': inSilence,
  'refund.queue': inSilence,
  'vendor.refund-query': inSilence,
  'refund.delay': inSilence,
  'points.delay': { process: 'worker', reachedBy: 'failure' },

  'payment.claim': elsewhereInGateway,
  'payment.unknown': elsewhereInGateway,
  'payment.refuse': elsewhereInGateway,
  'payment.close': elsewhereInBoth,
  'order.close-wanted': elsewhereInGateway,
  'vendor.close': elsewhereInGateway,
  'vendor.close-expired': elsewhereInWorker,
  'query.queue': elsewhereInGateway,
  'query.queue-close': elsewhereInWorker,
  'refund.hold': elsewhereInWorker,
  'vendor.foreign-refund': elsewhereInWorker,
  'points.end': elsewhereInWorker,
  'case.open': elsewhereInWorker,
  'event.resend': elsewhereInGateway,
  'endpoint.add': elsewhereInGateway,
  'endpoint.remove': elsewhereInGateway,
  'endpoint.secret': elsewhereInGateway,
  'vendor.keys': elsewhereInWorker,
  'vendor-key.add': elsewhereInBoth,
  'month.make': elsewhereInWorker,
  'job.leave': elsewhereInWorker,
  'compensation.later': elsewhereInWorker,
  'sweep.count': elsewhereInWorker,
  'points.match': elsewhereInWorker,
  'fund.match': elsewhereInWorker,
  'run.plan': elsewhereInWorker,
  'run.change': elsewhereInWorker,
  'run.give-up': elsewhereInWorker,
  'run.hold': elsewhereInWorker,
  'discrepancy.repair': elsewhereInWorker,
  'repair.refund-query': elsewhereInWorker,
  'repair.named-refund': elsewhereInWorker,
  'repair.foreign-refund': elsewhereInWorker,

  'discrepancy.decide': { process: 'gateway', reachedBy: 'operator' },
  'account.add': command,
  'account.flags': command,
  'api-key.add': command,
  'api-key.revoke': command,
  'case.decide': command,
  'merchant.add': command,
  'merchant.policy': command,
  'operator.add': command,
  'operator.revoke': command,
  'refund.decide': command,
  'run.request': command,
  'run.upload': command,
  'vendor.test': command,
} as const satisfies Readonly<Record<string, Effect>>

export type EffectName = keyof typeof EFFECTS

/** An effect with something of ours after it. */
export type AroundName = Exclude<EffectName, 'callback.answer'>

/** A place in our code: an effect and a side of it. */
export type FailpointName = `${EffectName}:before` | `${AroundName}:after`
