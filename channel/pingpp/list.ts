import type { RecordExchange } from '../http.ts'
import { callVendor } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { PAGE_ITEMS_MAX, parsePage } from './wire.ts'
import type { VendorPayment } from './wire.ts'

/** Ping++ dossier, section 2.6. */
export const PATH = '/v1/charges'

/** Of one step. Whoever sells more than 2,000 times in it is told `unknown`, and callbacks still arrive. */
const PAGES_MAX = 20

/** What is looked for, and where. */
export interface Window {
  readonly number: string
  readonly product: string | undefined
  /** Seconds since 1970 of the vendor's `created`; the second is not part of it. */
  readonly from: number
  readonly until: number
  /** Ends the search; without such a one the first with the number is the result. */
  readonly isWanted: (payment: VendorPayment) => boolean
}

/** The whole window was read as far as needed, or it is unknown what stands in it. */
export type Search =
  | { readonly kind: 'read'; readonly payment: VendorPayment | undefined }
  | { readonly kind: 'unknown'; readonly cause: string }

/** Ping++ dossier, sections 5 and 6: there is no filter by our number, so the list is paged through. */
export async function searchWindow(
  context: Context,
  window: Window,
  record: RecordExchange,
): Promise<Search> {
  let other: VendorPayment | undefined
  let after: string | undefined
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const target = listTarget(context.settings.app, window, after)
    const answer = await callVendor(context, { kind: 'query', method: 'GET', target }, record)
    if (answer.kind !== 'done') return { kind: 'unknown', cause: causeOf(answer) }
    const read = parsePage(answer.body, window.number)
    if (read === undefined) return { kind: 'unknown', cause: 'the list cannot be read' }
    const wanted = read.found.find(window.isWanted)
    if (wanted !== undefined) return { kind: 'read', payment: wanted }
    other ??= read.found[0]
    after = read.next
    if (after === undefined) return { kind: 'read', payment: other }
  }
  return { kind: 'unknown', cause: `the list goes on behind ${PAGES_MAX} pages` }
}

export const causeOf = (answer: Exclude<VendorAnswer, { kind: 'done' }>): string =>
  answer.kind === 'unknown' ? answer.cause : `status ${answer.status} ${answer.error.code}`

/** Ping++ dossier, sections 1 and 6: brackets are percent-encoded, and signed like that. */
export function listTarget(
  app: string,
  { product, from, until }: Pick<Window, 'product' | 'from' | 'until'>,
  after?: string,
): string {
  const pairs = [
    ['app[id]', app],
    ...(product === undefined ? [] : [['channel', product]]),
    ['created[gte]', String(from)],
    ['created[lt]', String(until)],
    ['limit', String(PAGE_ITEMS_MAX)],
    ...(after === undefined ? [] : [['starting_after', after]]),
  ]
  return `${PATH}?${pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')}`
}
