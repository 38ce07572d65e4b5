import { z } from 'zod'
import { openQueues, workSettings } from '#worker/queue'
import { answer, readArgument } from './child.ts'

// A worker whose jobs do nothing: what the queue itself costs.

const { databaseUrl, queue, count } = readArgument(
  z.object({ databaseUrl: z.string(), queue: z.string(), count: z.number() }),
)

answer({ started: true })
const boss = await openQueues(databaseUrl, (error) => console.error(error.message))
let handled = 0
const done = Promise.withResolvers<void>()
await boss.work(queue, workSettings('order-status', { pollingSeconds: 0.5 }), (jobs) => {
  handled += jobs.length
  if (handled === count) done.resolve()
  return Promise.resolve(jobs.map(({ id }) => ({ id, status: 'completed' as const })))
})
await done.promise
answer({ handled })
await Bun.stdin.text()
await boss.stop({ graceful: true, timeout: 5000 })
process.exit(0)
