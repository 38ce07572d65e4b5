import { z } from 'zod'

import type { Answer } from './answer.ts'
import { invalid, missing, ok } from './answer.ts'

const LIMIT_MAX = 100
const LIMIT_USUAL = 10

const whole = z
  .string()
  .regex(/^\d{1,12}$/)
  .transform(Number)
const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

/** The parameters of every list (dossier 6). */
export const pageShape = {
  limit: whole.pipe(z.int().min(1).max(LIMIT_MAX)).default(LIMIT_USUAL),
  starting_after: z.string().exactOptional(),
  ending_before: z.string().exactOptional(),
} as const

export const pageQuery = z.strictObject(pageShape)

export const chargeListQuery = z.strictObject({
  ...pageShape,
  'app[id]': z.string().min(1),
  'created[gt]': whole.exactOptional(),
  'created[gte]': whole.exactOptional(),
  'created[lt]': whole.exactOptional(),
  'created[lte]': whole.exactOptional(),
  channel: z.string().exactOptional(),
  paid: flag.exactOptional(),
  refunded: flag.exactOptional(),
  reversed: flag.exactOptional(),
})

export type ChargeListQuery = z.output<typeof chargeListQuery>
export type PageQuery = Pick<ChargeListQuery, keyof typeof pageShape>

/** Reads a query by a schema, or says which parameter is wrong. */
export function readQuery<Query>(
  schema: z.ZodType<Query>,
  query: URLSearchParams,
): { readonly query: Query } | { readonly answer: Answer } {
  const reading = schema.safeParse(Object.fromEntries(query))
  if (reading.success) return { query: reading.data }
  const [issue] = reading.error.issues
  const name = issue?.code === 'unrecognized_keys' ? issue.keys[0] : issue?.path[0]
  const param = String(name ?? '')
  return { answer: invalid(`参数 ${param} 无效`, param) }
}

/** Whether a moment of creation lies within the bounds of the query. */
export function isWithin(created: number, query: ChargeListQuery): boolean {
  return (
    created > (query['created[gt]'] ?? -1) &&
    created >= (query['created[gte]'] ?? 0) &&
    created < (query['created[lt]'] ?? Infinity) &&
    created <= (query['created[lte]'] ?? Infinity)
  )
}

/** One page of what the list holds, newest first. The cursor is the id of an item of it. */
export function pageAnswer<Item extends { readonly id: string }>(
  { url, items }: { readonly url: string; readonly items: readonly Item[] },
  query: PageQuery,
  show: (item: Item) => unknown,
  isEndless = false,
): Answer {
  const { limit, starting_after: after, ending_before: before } = query
  const cursor = after ?? before
  const at = cursor === undefined ? -1 : items.findIndex(({ id }) => id === cursor)
  if (cursor !== undefined && at < 0) {
    return missing('对象', after === undefined ? 'ending_before' : 'starting_after')
  }
  const isBackwards = after === undefined && before !== undefined
  const rest = isBackwards ? items.slice(0, at) : items.slice(at + 1)
  const page = isBackwards ? rest.slice(-limit) : rest.slice(0, limit)
  return ok({
    object: 'list',
    url,
    has_more: isEndless || rest.length > page.length,
    data: page.map(show),
  })
}
