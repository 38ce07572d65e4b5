import type { LatePolicy } from '#db/schema'

// What should be true of a shop, its customers and its vendor, in the simplest words. It knows neither rows nor jobs.

export interface ModelAttempt {
  readonly id: string
  /** The vendor has the customer's money. */
  isPaid: boolean
  /** The bank had taken the money before the vendor closed, and it arrived afterwards. */
  isPaidLate: boolean
  /** Another account's vendor has spoken of it. */
  isNamedByOther: boolean
  /** Accepted refunds, by our number. */
  readonly refunds: Map<string, number>
}

export interface ModelOrder {
  readonly number: string
  readonly userId: string
  readonly amount: number
  isCloseWanted: boolean
  readonly attempts: ModelAttempt[]
}

export interface Model {
  readonly policy: LatePolicy
  readonly orders: ModelOrder[]
  /** Days that have gone by in jumps: after a week nobody asks about a closed payment any more. */
  days: number
}

export const newModel = (policy: LatePolicy): Model => ({ policy, orders: [], days: 0 })

export const newAttempt = (id: string): ModelAttempt => ({
  id,
  isPaid: false,
  isPaidLate: false,
  isNamedByOther: false,
  refunds: new Map(),
})

/** An attempt with the order that it pays. */
export interface Place {
  readonly order: ModelOrder
  readonly attempt: ModelAttempt
}

export const placesOf = ({ orders }: Pick<Model, 'orders'>): Place[] =>
  orders.flatMap((order) => order.attempts.map((attempt) => ({ order, attempt })))

/** What is in front of the vendor, or still to be sent. */
export const promisedMinor = ({ refunds }: ModelAttempt): number =>
  [...refunds.values()].reduce((sum, amount) => sum + amount, 0)

/** Points that are left: a whole yuan earns one, and what a refund leaves is rounded down. */
export const keptPoints = (amount: number, refunded: number): number =>
  Math.floor((Math.floor(amount / 100) * (amount - refunded)) / amount)
