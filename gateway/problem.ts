import { z } from 'zod'

/** A refusal that the client can act on (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: ProblemStatus
  readonly code: string
  readonly channel: ChannelProblem | undefined

  constructor(status: ProblemStatus, code: string, detail: string, channel?: ChannelProblem) {
    super(detail)
    this.status = status
    this.code = code
    this.channel = channel
  }
}

export type ProblemStatus =
  400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 422 | 428 | 500 | 502 | 503

/** The vendor's own words, kept apart from ours. */
export interface ChannelProblem {
  readonly name: string
  readonly code: string
  readonly message: string
}

/** A problem as it is written (RFC 9457). Clients decide by `code`. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  request_id: z.string(),
  channel: z
    .object({ name: z.string(), code: z.string(), message: z.string() })
    .optional()
    .describe("The vendor's own words, kept apart from ours."),
})

/** Writes a problem. Never repeats what the client sent. */
export function problemResponse(problem: Problem, requestId: string): Response {
  const body: z.input<typeof problemSchema> = {
    type: `urn:pingzhang:problem:${problem.code}`,
    title: problem.code.replaceAll('_', ' '),
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    request_id: requestId,
    ...(problem.channel === undefined ? {} : { channel: problem.channel }),
  }
  return new Response(JSON.stringify(body), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  })
}
