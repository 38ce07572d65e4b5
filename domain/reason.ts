/** One line, because it is read in lists. */
const REASON = /^[^\p{Cc}]{1,500}$/u
const NAME = /^[^\p{C}]{1,64}$/u
/** What the audit calls a rule that a merchant has set, and our own repairs: no person is called so. */
const RESERVED: ReadonlySet<string> = new Set(['policy', 'machine'])

/** Why a person decides so, in one line of at most 500 characters. */
export function parseReason(text: string): string | undefined {
  const reason = text.trim()
  return REASON.test(reason) ? reason : undefined
}

/** The name of a person, as the audit takes it. */
export function parsePerson(text: string): string | undefined {
  const name = text.trim()
  return NAME.test(name) && !RESERVED.has(name) ? name : undefined
}
