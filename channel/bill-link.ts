import type { BillFetch } from './bill.ts'

/** A link lives for half a minute, or for five: one that has expired is asked for once more. */
const LINKS_MAX = 2

/** What became of a link: an answer about the bill, or none, because its time was over. */
export type Followed = BillFetch | { readonly kind: 'expired' }

/**
 * Fetches a bill that a vendor hands out by a link: asks for one, follows it at once, and asks anew when it has
 * expired (WeChat Pay dossier, section 6.3; Alipay dossier, section 6.1).
 */
export async function fetchByLink<Link extends { readonly kind: 'link' }>(
  ask: () => Promise<Link | BillFetch>,
  follow: (link: Link) => Promise<Followed>,
): Promise<BillFetch> {
  for (let asked = 0; asked < LINKS_MAX; asked += 1) {
    const answer = await ask()
    if (answer.kind !== 'link') return answer
    const outcome = await follow(answer)
    if (outcome.kind !== 'expired') return outcome
  }
  return { kind: 'unknown', cause: `expected a link that lives, found ${LINKS_MAX} expired ones` }
}
