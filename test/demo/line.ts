/** One payment that was meant to be paid. Every figure is read from outside of the platform. */
export interface PaymentLine {
  readonly channel: string
  readonly method: string
  readonly wallet?: string
  readonly next_action: string
  /** From the merchant API. */
  readonly state: string
  readonly order: string
  /** From the points service's own database. */
  readonly points: number
  /** Deliveries that the emulator saw acknowledged as success. */
  readonly callbacks: number
}

/** A refund, with the state from the merchant API and the points from the points service's database. */
export interface RefundLine {
  readonly channel: string
  readonly amount: number
  readonly state: string
  readonly points_taken_back: number
}

/** A case, from the merchant API. */
export interface CaseLine {
  readonly kind: string
  readonly state: string
}

/** What was told to the shop's own system, from the merchant API. */
export interface EventLine {
  readonly delivered: number
  readonly dead: number
}

/** How a vendor's bill of a day compares with our books, from the merchant API. Amounts in fen. */
export interface ReconciliationLine {
  readonly channel: string
  readonly business_date: string
  readonly lines: number
  readonly matched: number
  readonly our_amount: number
  readonly their_amount: number
  /** How many there are of each kind. */
  readonly discrepancies: Readonly<Record<string, number>>
  /** `settled` when none of them waits for anybody. */
  readonly state: string
}

export interface StoryResult {
  readonly ok: boolean
  readonly payments: readonly PaymentLine[]
  readonly rejected: number
  readonly quarantined: number
  readonly refunds: readonly RefundLine[]
  readonly cases: readonly CaseLine[]
  readonly events: EventLine
  readonly reconciliation: readonly ReconciliationLine[]
  readonly elapsed_ms: number
}
