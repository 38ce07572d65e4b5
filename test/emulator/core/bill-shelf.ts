import type { BillPanel } from './bill-knobs.ts'
import { newNonce } from './random.ts'

/** The shorter of the lives that vendors tell of. */
const LINK_LIFE_MS = 30_000

interface Link {
  readonly owner: string
  readonly expiresAt: number
  readonly body: Blob
}

/** Bills that were made: once, unless they are issued again, and links that lead to them for a while. */
export class BillShelf {
  readonly #panel: BillPanel
  readonly #now: () => Date
  readonly #made = new Map<string, Uint8Array<ArrayBuffer>>()
  readonly #links = new Map<string, Link>()
  #isReversed = false

  constructor(panel: BillPanel, now: () => Date) {
    this.#panel = panel
    this.#now = now
  }

  /** Rows in the order of the day: the other way round after every second issue. */
  inOrder<Row>(rows: readonly Row[]): readonly Row[] {
    return this.#isReversed ? rows.toReversed() : rows
  }

  /** Made at the first ask; made anew, with the rows in another order, when it is issued again. */
  keep(key: string, make: () => Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (this.#panel.take('billReissued')) {
      this.#isReversed = !this.#isReversed
      this.#made.delete(key)
    }
    const bytes = this.#made.get(key) ?? make()
    this.#made.set(key, bytes)
    return bytes
  }

  /** What the panel makes of a file on its way. */
  damaged(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (this.#panel.take('billTruncated')) return bytes.slice(0, Math.floor(bytes.length / 2))
    if (!this.#panel.take('billCorrupt')) return bytes
    const damaged = Uint8Array.from(bytes)
    const at = Math.floor(damaged.length / 2)
    damaged[at] = (damaged[at] ?? 0) ^ 1
    return damaged
  }

  /** The token of a new link. */
  newLink(owner: string, body: Blob): string {
    const token = newNonce(32)
    this.#links.set(token, { owner, body, expiresAt: this.#now().getTime() + LINK_LIFE_MS })
    return token
  }

  /** `undefined`: there is no such link, or none any more. */
  follow(token: string): { readonly owner: string; readonly body: Blob } | undefined {
    const link = this.#links.get(token)
    if (link === undefined || this.#now().getTime() >= link.expiresAt) return undefined
    return this.#panel.take('billLinkExpired') ? undefined : link
  }
}
