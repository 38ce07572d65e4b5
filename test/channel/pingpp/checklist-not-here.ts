const REFUNDS = 'Refunds through Ping++ are not built yet.'
const BILLS = 'The daily list in place of a bill is not built yet.'

/** Lines of the Ping++ dossier's checklist that the channel's tests do not hold, and why. */
export const CHECKLIST_NOT_HERE: Readonly<Record<number, string>> = {
  30: REFUNDS,
  31: REFUNDS,
  32: REFUNDS,
  33: REFUNDS,
  34: REFUNDS,
  35: 'Reversing is not offered for any product: it gives money back, and belongs to refunds.',
  38: BILLS,
  39: BILLS,
}

export const CHECKLIST_LINES = 40
