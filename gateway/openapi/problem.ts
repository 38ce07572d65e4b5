import type { Operation } from './operation.ts'

type Problems = Readonly<Record<number, readonly string[]>>

const ALWAYS: Problems = { 503: ['unavailable'] }
const WITH_KEY: Problems = { 401: ['api_key_invalid'], 403: ['scope_missing'] }
const OF_TEXT: Problems = { 422: ['value_invalid'] }
const OF_QUERY: Problems = { 422: ['query_invalid'] }
const OF_BODY: Problems = {
  400: ['json_invalid', 'body_truncated'],
  413: ['body_too_large'],
  422: ['body_invalid'],
}
const KEYED: Problems = {
  400: ['idempotency_key_missing'],
  409: ['idempotency_key_running'],
  422: ['idempotency_key_reused'],
}

/** Every code of a problem that an operation can answer with, by status. */
export function problemsOf(operation: Operation): Problems {
  const { scope, query, body, isKeyed, problems } = operation
  const found = new Map<string, readonly string[]>()
  for (const part of [
    scope === undefined ? {} : WITH_KEY,
    query === undefined ? {} : OF_QUERY,
    body === undefined ? {} : OF_BODY,
    isKeyed === true ? KEYED : {},
    problems ?? {},
    OF_TEXT,
    ALWAYS,
  ]) {
    for (const [status, codes] of Object.entries(part)) {
      found.set(status, [...(found.get(status) ?? []), ...codes])
    }
  }
  return Object.fromEntries(found)
}
