/** How many points a merchant gives: so many per whole yuan. */
export interface PointsRule {
  readonly pointsPerYuan: bigint
}

const FEN_PER_YUAN = 100n

/** Points for a paid amount. Only whole yuan count: 1.99 yuan earns as much as 1.00. */
export const pointsFor = (amountMinor: bigint, rule: PointsRule): bigint =>
  (amountMinor / FEN_PER_YUAN) * rule.pointsPerYuan

export interface TakeBack {
  /** Points of the order's one grant. */
  readonly points: bigint
  /** What the order's payment was paid with, in minor units. */
  readonly amountMinor: bigint
  /** All that is refunded by now, this refund included. */
  readonly refundedMinor: bigint
  /** Points of earlier take-backs of the order. */
  readonly takenBack: bigint
}

/**
 * Points that this refund takes back (payment rules, section 4).
 *
 * Cumulative: what is kept is rounded down from all that is left, so that parts add up to the whole.
 */
export function pointsToTakeBack({
  points,
  amountMinor,
  refundedMinor,
  takenBack,
}: TakeBack): bigint {
  const keep = (points * (amountMinor - refundedMinor)) / amountMinor
  return points - keep - takenBack
}
