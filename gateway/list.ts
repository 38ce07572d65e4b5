import { z } from 'zod'
import { parseRfc3339 } from '#domain/time'
import { json } from './json.ts'

const LIMIT_MAX = 100

const date = z.custom<Date>((at) => at !== undefined, 'expected RFC 3339 with its offset')

/** A moment in a query string. */
export const momentSchema = z
  .string()
  .meta({ format: 'date-time' })
  .transform(parseRfc3339)
  .pipe(date)

/** The parameters by which every list is read page by page; the cursor is the last id of the page before. */
export const pageOf = <Id extends string>(
  parseId: (text: string) => Id | undefined,
  limit = LIMIT_MAX,
) => ({
  cursor: z
    .string()
    .transform((text, context): Id => {
      const id = parseId(text)
      if (id !== undefined) return id
      context.addIssue('expected one of an earlier page')
      return z.NEVER
    })
    .optional(),
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(limit),
})

/** A page: `next_cursor` is the cursor of the next one, `null` after the last. */
export const pageSchema = <Item extends z.ZodType>(item: Item) =>
  z.object({
    object: z.literal('list'),
    data: z.array(item),
    next_cursor: z.string().nullable(),
  })

/** Everything at once: there are never many. */
export const listSchema = <Item extends z.ZodType>(item: Item) =>
  z.object({ object: z.literal('list'), data: z.array(item) })

/** Answers with a page. One row more than `limit` tells that there is another: ask for it. */
export function listPage<Row>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => { readonly id: string },
): Response {
  const data = rows.slice(0, limit).map(view)
  const next = rows.length > limit ? (data.at(-1)?.id ?? null) : null
  return json({ object: 'list', data, next_cursor: next })
}
