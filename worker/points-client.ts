import type { GrantRow } from '#db/points'

/** What the points system did with a grant. `unknown` is not a failure: the same call may be repeated. */
export type PointsOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** A take-back that the customer's balance does not cover. */
  | { readonly kind: 'short' }
  | { readonly kind: 'unknown'; readonly cause: string }

export interface PointsClient {
  /** Gives or takes back, by the row's kind. */
  send(grant: GrantRow, signal: AbortSignal): Promise<PointsOutcome>
}

const TIMEOUT_MS = 5000
const CONFLICT = 409
const BALANCE_SHORT = 422

/**
 * Speaks to the points system: `PUT /grant/{key}`, `PUT /revoke/{key}` (design, section 1).
 *
 * The key comes from the order or the refund, so a repeat changes nothing. Only an answer with the very values that we
 * asked for is success; a page of HTML, a redirect or other values are not.
 */
export function createPointsClient(baseUrl: string): PointsClient {
  return {
    async send(grant, signal) {
      try {
        const response = await fetch(`${baseUrl}/${grant.kind}/${grant.idempotency_key}`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ user_id: grant.user_id, points: Number(grant.points) }),
          redirect: 'manual',
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        })
        const text = await response.text()
        if (response.status === CONFLICT)
          return { kind: 'refused', reason: 'other values are stored' }
        if (grant.kind === 'revoke' && response.status === BALANCE_SHORT) return { kind: 'short' }
        if (response.status !== 200) return { kind: 'unknown', cause: `status ${response.status}` }
        return judgeStored(grant, text)
      } catch (error) {
        return { kind: 'unknown', cause: error instanceof Error ? error.name : 'unknown' }
      }
    },
  }
}

function judgeStored(grant: GrantRow, text: string): PointsOutcome {
  const stored = parseStored(text)
  if (stored === undefined) return { kind: 'unknown', cause: 'the answer is not the stored grant' }
  if (stored.userId !== grant.user_id || stored.points !== Number(grant.points)) {
    return { kind: 'refused', reason: 'the points system stored other values' }
  }
  return { kind: 'done' }
}

function parseStored(text: string): { userId: unknown; points: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    if (!('user_id' in value) || !('points' in value)) return undefined
    return { userId: value.user_id, points: value.points }
  } catch {
    // Not JSON is an answer of somebody else, such as a proxy: unknown, and asked again.
    return undefined
  }
}
