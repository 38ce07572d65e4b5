export type PaymentState = 'created' | 'pending' | 'paid' | 'closed'
export type OrderState = 'unpaid' | 'paid' | 'closed' | 'partly_refunded' | 'refunded'
export type PointsGrantState =
  'pending' | 'sent' | 'granted' | 'void' | 'refused' | 'taken' | 'short'
export type NotificationState = 'received' | 'applied' | 'quarantined'
export type CaseState = 'open' | 'resolved'
export type DeliveryState = 'pending' | 'delivered' | 'dead'
/**
 * A day's run: `waiting` for its bill, `loaded` and to be matched, `done`; `failed` waits for a person.
 */
export type RunState = 'waiting' | 'loaded' | 'done' | 'failed'
/** `held`: near the day cut, the next bills may still bring it. `repairing`: a query or a job is at work. */
export type DiscrepancyState = 'held' | 'open' | 'repairing' | 'resolved'
export type RefundState = 'requested' | 'sent' | 'accepted' | 'succeeded' | 'refused' | 'abnormal'

/** Who wanted a refund; `vendor`: it was made outside of this system, at the vendor's own console. */
export type RefundOrigin = 'merchant' | 'policy' | 'operator' | 'vendor'

/** How a paid payment stands to its order: it pays it, it came twice, or the order was closed before. */
export type Disposition = 'counted' | 'excess' | 'late'

/** What told us that money moved. */
export type Witness = 'callback' | 'query' | 'operator'

type Moves<State extends string> = Readonly<Record<State, readonly State[]>>

/** Payment rules, section 4. */
export const paymentMoves: Moves<PaymentState> = {
  // A callback can overtake the answer of the call that created the payment.
  created: ['pending', 'paid', 'closed'],
  pending: ['paid', 'closed'],
  paid: [],
  // A customer can pay in the second we close. The money is real: take it, then follow the policy.
  closed: ['paid'],
}

/** Payment rules, section 4. */
export const orderMoves: Moves<OrderState> = {
  unpaid: ['paid', 'closed'],
  closed: ['paid'],
  paid: ['partly_refunded', 'refunded'],
  partly_refunded: ['refunded'],
  refunded: [],
}

/** Payment rules, section 4: grants end `granted` or `void`, revokes `taken` or `short`. */
export const pointsGrantMoves: Moves<PointsGrantState> = {
  pending: ['sent', 'void'],
  sent: ['granted', 'refused', 'taken', 'short'],
  // An operator asks again, or writes it off.
  refused: ['pending', 'void'],
  granted: [],
  void: [],
  taken: [],
  short: [],
}

/** Payment rules, section 4. `sent` covers everything that is unknown. */
export const refundMoves: Moves<RefundState> = {
  requested: ['sent', 'refused'],
  sent: ['requested', 'accepted', 'succeeded', 'refused'],
  accepted: ['succeeded', 'refused', 'abnormal'],
  abnormal: ['succeeded', 'refused'],
  // The vendor contradicts itself: the amount is reserved again, and a person looks.
  refused: ['succeeded'],
  succeeded: [],
}

export const notificationMoves: Moves<NotificationState> = {
  received: ['applied', 'quarantined'],
  // An operator who has decided the case lets it be applied again.
  quarantined: ['received'],
  applied: [],
}

/** A person may ask for either to be sent again. */
export const deliveryMoves: Moves<DeliveryState> = {
  pending: ['delivered', 'dead'],
  delivered: ['pending'],
  dead: ['pending'],
}

/** A bill that comes again, or a person who asks, lets a finished day be matched again. */
export const runMoves: Moves<RunState> = {
  waiting: ['loaded', 'done', 'failed'],
  loaded: ['done', 'failed'],
  done: ['waiting', 'loaded'],
  failed: ['waiting', 'loaded'],
}

export const discrepancyMoves: Moves<DiscrepancyState> = {
  held: ['open', 'repairing', 'resolved'],
  open: ['repairing', 'resolved'],
  repairing: ['open', 'resolved'],
  // A person may open it again, and so may a later bill.
  resolved: ['open', 'held'],
}

export const caseMoves: Moves<CaseState> = { open: ['resolved'], resolved: [] }

export type StateSubject =
  | 'payment'
  | 'customer_order'
  | 'points_grant'
  | 'notification'
  | 'open_case'
  | 'refund'
  | 'event_delivery'
  | 'schedule_run'
  | 'discrepancy'

/** All state tables by the table that holds the state. The database trigger is made from this. */
export const movesBySubject: Readonly<Record<StateSubject, Moves<string>>> = {
  payment: paymentMoves,
  customer_order: orderMoves,
  points_grant: pointsGrantMoves,
  notification: notificationMoves,
  open_case: caseMoves,
  refund: refundMoves,
  event_delivery: deliveryMoves,
  schedule_run: runMoves,
  discrepancy: discrepancyMoves,
}
