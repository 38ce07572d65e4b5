import { z } from 'zod'

const count = z.object({ ran: z.number(), hadEffect: z.number() })

/** What a process that played histories says of them. */
export const report = z.object({
  seed: z.number(),
  /** Up to the failure, or all of them. */
  runs: z.number(),
  /** The time was up. */
  wasCutShort: z.boolean(),
  seconds: z.number(),
  counts: z.record(z.string(), count),
  failure: z
    .object({
      path: z.string(),
      /** Which commands of the history ran. */
      replay: z.string(),
      history: z.string(),
      problem: z.string(),
    })
    .exactOptional(),
})

export type Report = z.infer<typeof report>
