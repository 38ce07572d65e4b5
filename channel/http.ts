/** One HTTP exchange with a vendor, redacted: what the transaction log keeps. */
export interface Exchange {
  readonly kind: 'create' | 'query' | 'close' | 'key'
  readonly method: string
  readonly url: string
  readonly requestBody: string
  /** Absent when there was no answer. */
  readonly status?: number
  readonly responseBody: string
  readonly error?: string
  readonly startedAt: Date
  readonly elapsedMs: number
}

/** Takes an exchange for the transaction log. Never throws. */
export type RecordExchange = (exchange: Exchange) => void
