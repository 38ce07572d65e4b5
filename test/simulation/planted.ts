/** A change of our code that puts a bug into it. */
export interface PlantedBug {
  readonly name: string
  /** One that leads to it soon, among the 60 runs that it may take. */
  readonly seed: number
  /** What a history that finds it must say. */
  readonly seenAs: RegExp
  readonly changes: readonly Change[]
}

export interface Change {
  readonly path: string
  /** Once in the file, or the bug is not what it says. */
  readonly find: string
  readonly replace: string
}

/** Bugs that others have had (reliability notes, section 5.6). Each is found, or the simulation sees nothing. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'points keyed by job id',
    seed: 3,
    seenAs: /I2 /,
    changes: [
      {
        path: 'worker/queue.ts',
        find: 'await handler(deps, expectMerchant',
        replace: 'await handler(keyedByJob(deps, job.id), expectMerchant',
      },
      {
        path: 'worker/queue.ts',
        find: "import type { WorkerDeps } from './deps.ts'\n",
        replace: `import type { WorkerDeps } from './deps.ts'
/** An order's first job has the key of the order, so that only a second key for it is odd. */
const firstJobs = new Map<string, string>()
const keyedByJob = (deps: WorkerDeps, jobId: string): WorkerDeps => ({
  ...deps,
  points: {
    restsUntil: () => deps.points.restsUntil(),
    send(grant, signal) {
      const key = grant.idempotency_key
      const first = firstJobs.get(key) ?? jobId
      firstJobs.set(key, first)
      const own = first === jobId ? key : key + '-' + jobId
      return deps.points.send({ ...grant, idempotency_key: own }, signal)
    },
  },
})
`,
      },
    ],
  },
  {
    name: 'refund checked without a lock',
    seed: 1,
    seenAs: /two refunds took|I4 /,
    changes: [
      {
        path: 'db/refund/refund.ts',
        find: `    .forNoKeyUpdate()
    .execute()
  // A statement of its own: it must see what the last holder of the lock has committed.`,
        replace: '    .execute()',
      },
      {
        path: 'db/refund/refund.ts',
        find: `    .forNoKeyUpdate()
    .executeTakeFirst()
}`,
        replace: `    .executeTakeFirst()
}`,
      },
      {
        path: 'db/refund/refund.ts',
        find: `    const refund = await reserveRefund(trx, jobs, wanted)
`,
        replace: `    const isLeft = refundableMinor(payment) >= wanted.amountMinor
    const sum = payment.refund_reserved + wanted.amountMinor
    const refund = isLeft ? await reserveRefund(trx, jobs, wanted, sum) : undefined
`,
      },
      {
        path: 'db/refund/refund.ts',
        find: `  wanted: NewRefund,
): Promise<RefundRow | undefined> {
  const account = await reserving(trx, wanted.merchantId, wanted.paymentId, wanted.amountMinor)
    .where('refundable', '=', true)
`,
        replace: `  wanted: NewRefund,
  sum?: bigint,
): Promise<RefundRow | undefined> {
  const guarded = reserving(trx, wanted.merchantId, wanted.paymentId, wanted.amountMinor)
  const read = trx
    .updateTable('payment')
    .set({ refund_reserved: sum ?? 0n })
    .where('merchant_id', '=', wanted.merchantId)
    .where('id', '=', wanted.paymentId)
    .returning(['channel_account_id', 'currency'])
  const account = await (sum === undefined ? guarded : read)
`,
      },
    ],
  },
  {
    name: 'query by order number only',
    seed: 1,
    seenAs: /I10 |in place of other_account/,
    changes: [
      {
        path: 'domain/confirm.ts',
        find: "  if (payment.channelAccountId !== input.channelAccountId) return quarantine('other_account')\n",
        replace: '',
      },
    ],
  },
  {
    name: 'a swallowed handler error',
    seed: 2,
    seenAs: /I16 /,
    changes: [
      {
        path: 'worker/queue.ts',
        find: "return { id: job.id, status: 'failed' as const, output: { message } }",
        replace: "return { id: job.id, status: 'completed' as const }",
      },
    ],
  },
]
