/** Lines of the UnionPay dossier's checklist that the channel's tests do not hold, and why. */
export const CHECKLIST_NOT_HERE: Readonly<Record<number, string>> = {
  17: 'Version 5.0.0 is not spoken: a message in it is refused. Its derived vector stands in vector.test.ts.',
  18: 'Shared keys are not taken: signMethod 11 is refused. Its derived vector stands in vector.test.ts.',
  24: 'The result that the SDK gives to an app is a hint for the merchant’s own app and never comes to us.',
  29: 'The short pace is for back products whose answer is the result; refunds have a notice, and a slower pace.',
  36: 'Voids are not built: a refund does the same on any day.',
  37: 'Reversals are for customer-presented codes, which are not built.',
}

export const CHECKLIST_LINES = 46
