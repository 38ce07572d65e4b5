import type { PaymentRow } from '#db/payment/payment'

/** Whether money can still be on its way to it. */
export const isWaiting = ({ state }: Pick<PaymentRow, 'state'>): boolean =>
  state === 'created' || state === 'pending'

/** Whether a customer may be asked to pay it: only then is a code or an address of it handed out. */
export const isPayable = (payment: Pick<PaymentRow, 'state' | 'expires_at'>, now: Date): boolean =>
  isWaiting(payment) && payment.expires_at.getTime() > now.getTime()
