/** What an API key may do (design, sections 4 and 9). A key that may not is refused with 403. */
export const SCOPES = [
  'payment:read',
  'payment:write',
  'refund:read',
  'refund:write',
  'event:read',
  'event:write',
  'case:read',
  'reconciliation:read',
] as const

export type Scope = (typeof SCOPES)[number]

/** Reads a scope that a person wrote. */
export const parseScope = (text: string): Scope | undefined =>
  SCOPES.find((scope) => scope === text)
