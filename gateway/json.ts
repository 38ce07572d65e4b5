import type { z } from 'zod'
import { Problem } from './problem.ts'

/** An answer of the merchant API. */
export const json = (value: unknown, status = 200): Response =>
  new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  })

/** Reads a body. Throws 400 or 422 and names the field, never its value. */
export const parseBody = <T>(schema: z.ZodType<T>, bytes: Uint8Array): T =>
  parse(schema, parseJson(bytes), 'body_invalid')

/** Reads a query string. Throws 422 and names the parameter, never its value. */
export const parseQuery = <T>(schema: z.ZodType<T>, query: Readonly<Record<string, string>>): T =>
  parse(schema, query, 'query_invalid')

function parse<T>(schema: z.ZodType<T>, value: unknown, code: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = issue === undefined ? '' : issue.path.join('/')
  throw new Problem(422, code, `/${path}: ${issue?.message ?? 'invalid'}`)
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // The parser's message would repeat what the client sent.
    throw new Problem(400, 'json_invalid', 'the body is not JSON in UTF-8')
  }
}
