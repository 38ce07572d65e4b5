/** How many points a merchant gives: so many per whole yuan. */
export interface PointsRule {
  readonly pointsPerYuan: bigint
}

const FEN_PER_YUAN = 100n

/** Points for a paid amount. Only whole yuan count: 1.99 yuan earns as much as 1.00. */
export const pointsFor = (amountMinor: bigint, rule: PointsRule): bigint =>
  (amountMinor / FEN_PER_YUAN) * rule.pointsPerYuan
